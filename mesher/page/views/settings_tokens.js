/**
 * One's tokens, with which programs use the API: made here, shown once.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { button, copyable, field } from "../parts/controls.js";
import { confirm } from "../parts/dialog.js";
import { showOnce } from "../parts/once.js";
import { empty, panel } from "../parts/panel.js";
import { attempt, load } from "../parts/work.js";
import * as sessionsApi from "../server/sessions.js";
import { ago, until } from "../time.js";

/** @import { Context } from "../app.js" */
/** @import * as model from "../model.js" */

/** @param {Context} context @returns {HTMLElement} */
export function tokenSettings({ project, signal }) {
  const list = h("div");
  const once = h("div", { "aria-live": "polite" });
  const guide = h("div");
  const refresh = (quiet = false) =>
    load(list, signal, () => sessionsApi.sessions(signal), (all) => {
      const tokens = all.filter(({ kind }) => kind === "token");
      return tokens.length === 0
        ? empty("No tokens", "A program needs one to read issues, or to resolve them.")
        : h("ul", { class: "rows" }, tokens.map(row));
    }, { quiet });

  /** @param {model.Session} token */
  function row(token) {
    const revoke = button("Revoke", {
      kind: "small quiet",
      "aria-label": `Revoke ${token.label}`,
      onclick: async () => {
        const words = "Programs that use it are refused from now on.";
        if (!await confirm(`Revoke “${token.label}”?`, words, "Revoke")) return;
        if (await attempt(revoke, () => sessionsApi.endSession(token.id))) refresh(true);
      },
    });
    return h(
      "li",
      { class: "row token" },
      h(
        "div",
        { class: "row-main" },
        h("span", { class: "row-title", title: token.label }, token.label),
        h(
          "div",
          { class: "row-sub" },
          h("span", null, "made ", ago(token.createdAt)),
          token.expiresAt !== null && h("span", null, `expires ${until(token.expiresAt)}`),
        ),
      ),
      h("span", { class: "row-buttons" }, revoke),
    );
  }

  const label = h("input", { required: true, maxlength: 100, placeholder: "CI" });
  const make = h("button", { class: "button primary" }, "Make a token");
  const form = h(
    "form",
    {
      class: "form in-row",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        attempt(make, async () => {
          const token = await sessionsApi.createToken(label.value.trim());
          form.reset();
          showOnce(once, "This is the token.", token);
          fill(guide, instructions(project.id, token));
          refresh(true);
        });
      },
    },
    field("What it is for", label),
    make,
  );
  refresh();
  fill(guide, instructions(project.id, "YOUR_TOKEN"));
  return h(
    "div",
    { class: "columns-2" },
    h(
      "div",
      { class: "stacked" },
      panel("Your tokens", { class: "flush" }, list),
      panel("A new token", {}, form, once),
    ),
    panel("Using the API", {}, guide),
  );
}

/**
 * @param {string} projectId
 * @param {string} token
 */
function instructions(projectId, token) {
  const { origin } = location;
  return h(
    "div",
    { class: "guide" },
    h("p", null, "A token may do what you may do. It goes into a header:"),
    copyable(
      `curl -H 'Authorization: Bearer ${token}' \\\n` +
        `  '${origin}/api/v1/projects/${projectId}/issues?status=unresolved'`,
    ),
    h(
      "p",
      null,
      "What can be asked: ",
      h("a", { href: "/api/openapi.json", target: "_blank" }, "the API as OpenAPI"),
    ),
  );
}
