/**
 * The settings of the user's account: name, password and sessions.
 *
 * @module
 */
import { h } from "../dom.js";
import { field } from "../parts/controls.js";
import { pair, panel } from "../parts/panel.js";
import { toast } from "../parts/toast.js";
import { attempt } from "../parts/work.js";
import * as peopleApi from "../server/people.js";
import { session } from "../server/request.js";

import { sessionsPanel } from "./settings_sessions.js";

/** @import { Context } from "../app.js" */

/** Draws the settings of the account. @param {Context} context @returns {HTMLElement} */
export function accountSettings({ app, signal }) {
  const current = h("input", {
    type: "password",
    required: true,
    maxlength: 256,
    autocomplete: "current-password",
  });
  const next = h("input", {
    type: "password",
    required: true,
    maxlength: 256,
    autocomplete: "new-password",
  });
  const endTokens = h("input", { type: "checkbox" });
  const save = h("button", { class: "button primary" }, "Change the password");
  const form = h(
    "form",
    {
      class: "form",
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        const done = await attempt(
          save,
          () => peopleApi.setPassword(current.value, next.value, endTokens.checked),
        );
        if (!done) return;
        toast("Changed. Sign in with the new one.");
        session.dispatchEvent(new Event("signedout"));
      },
    },
    // Password managers read this field, and associate the new password with this address.
    h("input", { hidden: true, autocomplete: "username", value: app.user.email }),
    field("Current password", current),
    field("New password", next, "All your sessions end."),
    h("label", { class: "check" }, endTokens, "Revoke my tokens too"),
    h("div", { class: "form-foot" }, save),
  );
  return h(
    "div",
    { class: "columns-2" },
    h(
      "div",
      { class: "stacked" },
      panel(
        "You",
        {},
        h(
          "dl",
          { class: "pairs" },
          pair("Name", app.user.name),
          pair("E-mail", app.user.email),
          pair("Role", app.organisation?.role ?? "none"),
        ),
      ),
      sessionsPanel(signal),
    ),
    panel("Password", {}, form),
  );
}
