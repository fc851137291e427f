/**
 * A project's keys: made here, shown once. And how a program uses one.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { button, copyable, field } from "../parts/controls.js";
import { confirm } from "../parts/dialog.js";
import { showOnce } from "../parts/once.js";
import { empty, panel } from "../parts/panel.js";
import { attempt, load } from "../parts/work.js";
import * as projectsApi from "../server/projects.js";
import { ago } from "../time.js";

/** @import { Context } from "../app.js" */
/** @import * as model from "../model.js" */

/** @param {Context} context @returns {HTMLElement} */
export function keySettings({ app, project, signal }) {
  const mayManage = app.organisation?.role !== "member";
  const list = h("div");
  const once = h("div", { "aria-live": "polite" });
  const guide = h("div");
  const refresh = (quiet = false) =>
    load(
      list,
      signal,
      () => projectsApi.keys(project.id, signal),
      (keys) =>
        keys.length === 0
          ? empty("No keys", "A program needs one to send events.")
          : h("ul", { class: "rows" }, keys.map(row)),
      { quiet },
    );

  /** @param {model.ApiKey} key */
  function row(key) {
    const revoke = button("Revoke", {
      kind: "small quiet",
      disabled: !mayManage,
      "aria-label": `Revoke ${key.label}`,
      onclick: async () => {
        const words = "Programs that send with it are refused from now on.";
        if (!await confirm(`Revoke “${key.label}”?`, words, "Revoke")) return;
        if (await attempt(revoke, () => projectsApi.revokeKey(key.id))) refresh(true);
      },
    });
    return h(
      "li",
      { class: "row key" },
      h(
        "div",
        { class: "row-main" },
        h("span", { class: "row-title" }, key.label),
        h("div", { class: "row-sub" }, h("code", null, `${key.prefix}…`)),
      ),
      h("span", { class: "row-when" }, "made ", ago(key.createdAt)),
      h(
        "span",
        { class: "row-buttons" },
        key.revokedAt === null ? revoke : h("span", { class: "status" }, "Revoked"),
      ),
    );
  }

  const label = h("input", { required: true, maxlength: 100, placeholder: "production" });
  const make = h("button", { class: "button primary", disabled: !mayManage }, "Make a key");
  const form = h(
    "form",
    {
      class: "form in-row",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        attempt(make, async () => {
          const key = await projectsApi.createKey(project.id, label.value.trim());
          form.reset();
          showOnce(once, "This is the key.", key);
          fill(guide, instructions(key));
          refresh(true);
        });
      },
    },
    field("Label", label),
    make,
  );
  refresh();
  fill(guide, instructions("YOUR_KEY"));
  return h(
    "div",
    { class: "columns-2" },
    h(
      "div",
      { class: "stacked" },
      panel("Keys", { class: "flush" }, list),
      panel("A new key", {}, form, once),
    ),
    panel("Sending events", {}, guide),
  );
}

/** @param {string} key */
function instructions(key) {
  const { protocol, host, origin } = location;
  // SDKs want a number there; the key says which project it is.
  const dsn = `${protocol}//${key}@${host}/1`;
  return h(
    "div",
    { class: "guide" },
    h("p", null, "Any Sentry SDK, with this as its DSN:"),
    copyable(dsn),
    h("p", null, "Or plain HTTP:"),
    copyable(
      `curl ${origin}/api/v1/events -H 'x-api-key: ${key}' \\\n` +
        `  -d '{"message":"Hello from curl","level":"error"}'`,
    ),
  );
}
