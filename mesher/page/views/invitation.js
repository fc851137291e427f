/**
 * The pages of the links in invitations and password resets, for users who are not signed in.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { button, field } from "../parts/controls.js";
import { wordsFor } from "../parts/work.js";
import * as peopleApi from "../server/people.js";
import { ApiError } from "../server/request.js";
import { mark } from "../shell.js";
import { loginView } from "./login.js";

/** @import { Child } from "../dom.js" */

/**
 * Returns a logo, a title, and the content of a page.
 *
 * @param {string} title
 * @param {...Child} body
 */
function frame(title, ...body) {
  return [h("div", { class: "login-head" }, mark(), h("h1", null, title)), ...body];
}

/** Creates an input for a new password. */
function passwordInput() {
  return h("input", {
    type: "password",
    required: true,
    minlength: 10,
    maxlength: 256,
    autocomplete: "new-password",
  });
}

/**
 * Creates a form whose action can succeed once. Shows why it failed.
 *
 * @param {string} title
 * @param {string} action
 * @param {() => Promise<unknown>} work
 * @param {...Child} fields
 */
function form(title, action, work, ...fields) {
  const fault = h("p", { class: "fault", role: "alert" });
  const enter = h("button", { class: "button primary" }, action);
  return h(
    "form",
    {
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        enter.disabled = true;
        fault.textContent = "";
        try {
          await work();
        } catch (error) {
          fault.textContent = wordsFor(error);
        } finally {
          enter.disabled = false;
        }
      },
    },
    ...frame(title, ...fields, fault, enter),
  );
}

/**
 * Draws the page of an invitation. `done` is called when it was accepted.
 *
 * @param {string} secret
 * @param {() => void} done
 * @returns {HTMLElement}
 */
export function invitationView(secret, done) {
  const main = h("main", { class: "login" });
  const show = async () => {
    try {
      const invitation = await peopleApi.invitation(secret);
      const joined = await peopleApi.isSignedIn();
      if (joined || !invitation.hasAccount) draw(invitation, joined);
      else signInFirst(invitation);
    } catch (error) {
      fill(main, linkProblem(error, done));
    }
  };
  /**
   * Asks a user who has an account to sign in before accepting.
   *
   * @param {{ organisation: string, email: string }} invitation
   */
  function signInFirst({ organisation, email }) {
    fill(
      main,
      h("p", { class: "login-foot" }, `${organisation} invites ${email}. Sign in to accept.`),
      ...loginView(show, email).children,
    );
  }
  /**
   * Draws the form that accepts the invitation, and creates an account if the user has none.
   *
   * @param {{ organisation: string, email: string, role: string }} invitation
   * @param {boolean} isSignedIn
   */
  function draw({ organisation, email, role }, isSignedIn) {
    const name = h("input", { maxlength: 200, autocomplete: "name", autofocus: true });
    const password = passwordInput();
    const accept = async () => {
      await peopleApi.acceptInvitation(
        secret,
        isSignedIn ? {} : {
          password: password.value,
          display_name: name.value.trim(),
        },
      );
      done();
    };
    fill(
      main,
      form(
        `Join ${organisation}`,
        "Join",
        accept,
        h("p", { class: "hint" }, `You are invited to ${organisation} as ${role}.`),
        // Password managers read this field, and associate the new password with this address.
        !isSignedIn && h("input", { hidden: true, autocomplete: "username", value: email }),
        !isSignedIn && field("E-mail", h("input", { value: email, disabled: true })),
        !isSignedIn && field("Your name", name),
        !isSignedIn && field("Password", password, "At least 10 characters."),
      ),
    );
  }
  show();
  return main;
}

/**
 * Draws the page of a password reset. `done` is called when the password is set.
 *
 * @param {string} secret
 * @param {() => void} done
 * @returns {HTMLElement}
 */
export function resetView(secret, done) {
  const password = passwordInput();
  const main = h(
    "main",
    { class: "login" },
    form(
      "A new password",
      "Set the password",
      async () => {
        await peopleApi.resetPassword(secret, password.value);
        fill(
          main,
          h(
            "form",
            { onsubmit: leaveListener(done) },
            ...frame(
              "The password is set",
              h("p", { class: "hint" }, "Sign in with it. All your sessions have ended."),
              h("button", { class: "button primary" }, "Sign in"),
            ),
          ),
        );
      },
      field("New password", password, "At least 10 characters."),
    ),
  );
  return main;
}

/**
 * Creates a form that requests the mail with the link for a password reset.
 *
 * @param {string} email
 * @param {() => void} done
 * @returns {HTMLElement}
 */
export function forgotView(email, done) {
  const input = h("input", {
    type: "email",
    required: true,
    maxlength: 254,
    value: email,
    autocomplete: "username",
    autofocus: true,
  });
  const main = h("main", { class: "login" });
  const ask = form(
    "Forgot the password?",
    "Send me a link",
    async () => {
      await peopleApi.forgotPassword(input.value);
      fill(
        main,
        h(
          "form",
          { onsubmit: leaveListener(done) },
          ...frame(
            "Look into your mail",
            h(
              "p",
              { class: "hint" },
              `If ${input.value} has an account here, a link was sent to it. It holds for an hour.`,
            ),
            h("button", { class: "button primary" }, "Back"),
          ),
        ),
      );
    },
    field("E-mail", input),
  );
  ask.append(button("Back", { onclick: done }));
  fill(main, ask);
  return main;
}

/**
 * Draws the message about a link that does not work.
 *
 * @param {unknown} error
 * @param {() => void} done
 */
function linkProblem(error, done) {
  const words = error instanceof ApiError && error.status === 404
    ? "This link has been used, or is too old. Ask for another."
    : wordsFor(error);
  return h(
    "form",
    { onsubmit: leaveListener(done) },
    ...frame(
      "This link does not work",
      h("p", { class: "hint" }, words),
      h("button", { class: "button primary" }, "To Mesher"),
    ),
  );
}

/** Returns a listener that calls `done` instead of submitting the form. @param {() => void} done */
function leaveListener(done) {
  return (/** @type {Event} */ event) => {
    event.preventDefault();
    done();
  };
}
