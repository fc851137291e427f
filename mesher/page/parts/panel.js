/**
 * Containers: boxes with titles, tabs, and messages for empty lists.
 *
 * @module
 */
import { h } from "../dom.js";

/** @import { Child } from "../dom.js" */

/**
 * Creates a titled box.
 *
 * @param {Child} title
 * @param {{ class?: string, tools?: Child, level?: 2 | 3 }} options
 * @param {...Child} body
 */
export function panel(title, { class: extra = "", tools, level = 2 }, ...body) {
  return h(
    "section",
    { class: `panel ${extra}` },
    h("header", { class: "panel-head" }, h(level === 2 ? "h2" : "h3", null, title), tools),
    body,
  );
}

/**
 * Creates tabs: a row of links, one of which is current.
 *
 * @param {string} label
 * @param {readonly { text: string, href: string, current: boolean, n?: number | null }[]} items
 */
export function tabs(label, items) {
  return h(
    "nav",
    { class: "tabs", "aria-label": label },
    items.map(({ text, href, current, n }) =>
      h(
        "a",
        { href, "aria-current": current ? "page" : undefined },
        text,
        n !== undefined && n !== null && h("span", { class: "n" }, n),
      )
    ),
  );
}

/**
 * Creates the message that is shown in place of an empty list.
 *
 * @param {string} title
 * @param {Child} [words]
 * @param {...Child} more
 */
export function empty(title, words, ...more) {
  return h("div", { class: "empty" }, h("strong", null, title), words && h("p", null, words), more);
}

/**
 * Creates an entry of a description list: a name and its value.
 *
 * @param {string} name
 * @param {Child} value
 */
export function pair(name, value) {
  return h("div", null, h("dt", null, name), h("dd", null, value));
}
