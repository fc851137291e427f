/**
 * The view for signing in.
 *
 * @module
 */
import { h } from "../dom.js";
import { button, field } from "../parts/controls.js";
import { wordsFor } from "../parts/work.js";
import * as peopleApi from "../server/people.js";
import { ApiError } from "../server/request.js";
import { mark } from "../shell.js";

/**
 * Draws the form for signing in. `done` is called when the user has signed in.
 *
 * @param {() => void} done
 * @param {string} [address] The e-mail address, if it is known.
 * @param {(email: string) => void} [forgot] Called when the user has forgotten the password.
 * @returns {HTMLElement}
 */
export function loginView(done, address = "", forgot = undefined) {
  const email = h("input", {
    type: "email",
    name: "email",
    autocomplete: "username",
    required: true,
    autofocus: true,
    value: address,
  });
  const password = h("input", {
    type: "password",
    name: "password",
    autocomplete: "current-password",
    required: true,
  });
  const fault = h("p", { class: "fault", role: "alert" });
  const enter = h("button", { class: "button primary" }, "Sign in");
  return h(
    "main",
    { class: "login" },
    h(
      "form",
      {
        onsubmit: async (/** @type {Event} */ event) => {
          event.preventDefault();
          enter.disabled = true;
          enter.textContent = "Signing in…";
          fault.textContent = "";
          try {
            await peopleApi.login(email.value, password.value);
            done();
          } catch (error) {
            fault.textContent = error instanceof ApiError && error.status === 401
              ? "This e-mail address and password do not belong together."
              : wordsFor(error);
            password.select();
          } finally {
            enter.disabled = false;
            enter.textContent = "Sign in";
          }
        },
      },
      h("div", { class: "login-head" }, mark(), h("h1", null, "Sign in to Mesher")),
      field("E-mail", email),
      field("Password", password),
      fault,
      enter,
      forgot && button("Forgot the password?", {
        kind: "quiet",
        onclick: () => forgot(email.value),
      }),
    ),
    forgot && h(
      "p",
      { class: "login-foot" },
      "The first start of Mesher writes what to sign in with to mesher-first-login.txt.",
    ),
  );
}
