/**
 * Draws arbitrary data: the top level as a table, and nested values as indented text.
 *
 * @module
 */
import { h, safeHref } from "./dom.js";
import { pair } from "./parts/panel.js";

/**
 * Draws names and values as a description list.
 *
 * @param {readonly (readonly [string, string])[]} pairs
 */
export function pairTable(pairs) {
  return h(
    "dl",
    { class: "pairs" },
    pairs.map(([key, value]) => pair(key, linked(value))),
  );
}

/**
 * Draws an object with arbitrary values.
 *
 * @param {Record<string, unknown>} object
 */
export function objectTable(object) {
  return h(
    "dl",
    { class: "pairs" },
    Object.entries(object).map(([key, value]) => pair(key, valueOf(value))),
  );
}

/**
 * Draws a value: JSON for an object or a list, otherwise a text or a link.
 *
 * @param {unknown} value
 */
function valueOf(value) {
  if (typeof value === "object" && value !== null) {
    return h("pre", null, JSON.stringify(value, null, 2));
  }
  return linked(String(value));
}

/**
 * Returns a link if the text is a URL that is safe to open, otherwise the text.
 *
 * @param {string} text
 */
function linked(text) {
  const href = safeHref(text);
  return href === undefined
    ? text
    : h("a", { href, rel: "noopener noreferrer", target: "_blank" }, text);
}
