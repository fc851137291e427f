/**
 * Secrets of one kind, keys or tokens: a list, a form for a new one, and instructions. A key can be
 * shown again; a token is shown only once.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { button, copyable, field } from "./controls.js";
import { confirm } from "./dialog.js";
import { empty, panel } from "./panel.js";
import { attempt, load } from "./work.js";

/** @import { Child } from "../dom.js" */

/**
 * A key or a token in the list. `secret` is the key itself, if it can be shown again.
 *
 * @typedef {{ id: string, label: string, details: Child[], isRevoked: boolean, secret?: string | null }} Secret
 */

/**
 * Draws the list of secrets, the form, and the instructions.
 *
 * @param {{
 *   kind: string, title: string, none: string, label: string, example: string, warning: string,
 *   use: string, mayMake: boolean, signal: AbortSignal,
 *   list: () => Promise<Secret[]>,
 *   make: (label: string) => Promise<string>,
 *   fields?: Child,
 *   revoke: (id: string) => Promise<void>,
 *   guide: (secret: string) => HTMLElement,
 * }} options `kind`: "key" or "token"; `none`: the text for an empty list;
 * `use`: the title of the instructions.
 * @returns {HTMLElement}
 */
export function secretsView(options) {
  const { kind, mayMake, signal } = options;
  const list = h("div");
  const once = h("div", { "aria-live": "polite" });
  const guide = h("div");
  const refresh = (quiet = false) =>
    load(
      list,
      signal,
      options.list,
      (secrets) => {
        const known = secrets.find(({ isRevoked, secret }) => !isRevoked && secret)?.secret;
        if (known) fill(guide, options.guide(known));
        return secrets.length === 0
          ? empty(`No ${kind}s`, options.none)
          : h("ul", { class: "rows" }, secrets.map(row));
      },
      { quiet },
    );

  /** Draws one secret as a row of the list. @param {Secret} secret */
  function row({ id, label, details, isRevoked, secret }) {
    const shownAgain = h("div", { class: "row-secret", hidden: true });
    const show = button("Show", {
      kind: "small quiet",
      "aria-label": `Show ${label}`,
      "aria-expanded": "false",
      onclick: () => {
        shownAgain.hidden = !shownAgain.hidden;
        show.setAttribute("aria-expanded", String(!shownAgain.hidden));
        fill(show, h("span", null, shownAgain.hidden ? "Show" : "Hide"));
        fill(shownAgain, copyable(secret ?? ""));
      },
    });
    const revoke = button("Revoke", {
      kind: "small quiet",
      disabled: !mayMake,
      "aria-label": `Revoke ${label}`,
      onclick: async () => {
        if (!await confirm(`Revoke “${label}”?`, options.warning, "Revoke")) return;
        if (await attempt(revoke, () => options.revoke(id))) refresh(true);
      },
    });
    return h(
      "li",
      { class: "row secret" },
      h(
        "div",
        { class: "row-main" },
        h("span", { class: "row-title", title: label }, label),
        h("div", { class: "row-sub" }, details),
      ),
      h(
        "span",
        { class: "row-buttons" },
        secret && !isRevoked && show,
        isRevoked ? h("span", { class: "status" }, "Revoked") : revoke,
      ),
      shownAgain,
    );
  }

  const label = h("input", { required: true, maxlength: 100, placeholder: options.example });
  const make = h("button", { class: "button primary", disabled: !mayMake }, `Make a ${kind}`);
  const form = h(
    "form",
    {
      class: "form in-row",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        attempt(make, async () => {
          const secret = await options.make(label.value.trim());
          form.reset();
          if (kind === "token") fill(once, shown(secret));
          fill(guide, options.guide(secret));
          refresh(true);
        });
      },
    },
    field(options.label, label),
    options.fields,
    make,
  );

  /** Draws a new token, which cannot be shown again. @param {string} secret */
  function shown(secret) {
    return h(
      "div",
      { class: "once" },
      h("strong", null, `This is the ${kind}.`),
      h("p", { class: "hint" }, "Copy it now: it is not shown again."),
      copyable(secret),
      h("div", null, button("I have it", { kind: "small", onclick: forget })),
    );
  }
  function forget() {
    fill(once);
    fill(guide, options.guide(`YOUR_${kind.toUpperCase()}`));
  }
  forget();
  refresh();
  return h(
    "div",
    { class: "columns-2" },
    h(
      "div",
      { class: "stacked" },
      panel(options.title, { class: "flush" }, list),
      panel(`A new ${kind}`, {}, form, once),
    ),
    panel(options.use, {}, guide),
  );
}
