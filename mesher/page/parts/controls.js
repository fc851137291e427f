/**
 * Buttons, inputs and selects.
 *
 * @module
 */
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { toast } from "./toast.js";

/** @import { Child } from "../dom.js" */
/** @import { IconName } from "../icons.js" */

/**
 * Creates a button with a text and, optionally, an icon.
 *
 * @param {string} text
 * @param {Record<string, unknown> & { icon?: IconName, kind?: string }} [props]
 * @returns {HTMLButtonElement}
 */
export function button(text, { icon: name, kind = "", ...props } = {}) {
  return h(
    "button",
    { type: "button", ...props, class: `button ${kind}` },
    name && icon(name),
    h("span", null, text),
  );
}

/**
 * Creates a button with only an icon.
 *
 * @param {IconName} name
 * @param {string} label
 * @param {Record<string, unknown>} [props]
 * @returns {HTMLButtonElement}
 */
export function iconButton(name, label, props = {}) {
  return h(
    "button",
    { type: "button", class: "icon-button", "aria-label": label, title: label, ...props },
    icon(name),
  );
}

/**
 * Creates a labelled control.
 *
 * @param {string} label
 * @param {HTMLElement} control
 * @param {Child} [hint]
 */
export function field(label, control, hint) {
  return h(
    "label",
    { class: "field" },
    h("span", { class: "field-label" }, label),
    control,
    hint && h("span", { class: "hint" }, hint),
  );
}

/**
 * Creates a select.
 *
 * @param {readonly (readonly [value: string, text: string])[]} options
 * @param {string} chosen
 * @param {Record<string, unknown>} props
 * @returns {HTMLSelectElement}
 */
export function select(options, chosen, props) {
  const element = h(
    "select",
    props,
    options.map(([value, text]) =>
      h("option", { "value": value, selected: value === chosen }, text)
    ),
  );
  element.value = chosen;
  return element;
}

/**
 * Creates a text with a button that copies it.
 *
 * @param {string} text
 */
export function copyable(text) {
  const copy = iconButton("copy", "Copy", {
    onclick: async () => {
      // Browsers provide the clipboard only to pages of https or of this machine.
      if (navigator.clipboard !== undefined) {
        await navigator.clipboard.writeText(text);
        return toast("Copied");
      }
      getSelection()?.selectAllChildren(code);
      toast("Selected: now copy it");
    },
  });
  const code = h("code", null, text);
  return h("div", { class: "copyable" }, code, copy);
}
