/**
 * Creates elements from names, properties and children. Text only becomes text nodes and
 * attributes: this page never parses data as HTML, and URLs from data pass `safeHref`.
 *
 * @module
 */

/**
 * A value that can be added to an element. Null, undefined and false add nothing.
 *
 * @typedef {Node | string | number | null | undefined | false} Child
 */
/**
 * The properties of a new element: attributes, listeners and data.
 *
 * @typedef {Record<string, unknown>} Props
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Creates an HTML element. `on…` properties are listeners, `data` is an object of data attributes;
 * true sets an attribute, and false omits it.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Props | null} [props]
 * @param {...(Child | readonly Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  apply(element, props ?? {});
  append(element, children.flat());
  return element;
}

/**
 * Creates an SVG element.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Props | null} [props]
 * @param {...(Child | readonly Child[])} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function s(tag, props, ...children) {
  const element = document.createElementNS(SVG, tag);
  apply(element, props ?? {});
  append(element, children.flat());
  return element;
}

/**
 * Sets the attributes and listeners of an element.
 *
 * @param {Element} element
 * @param {Props} props
 */
function apply(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (name === "data") {
      for (const [key, text] of Object.entries(/** @type {Props} */ (value))) {
        if (text !== undefined && text !== null) element.setAttribute(`data-${key}`, String(text));
      }
    } else if (name === "value" && "value" in element) {
      element.value = String(value);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

/**
 * Adds children to an element. Null, undefined and false are skipped.
 *
 * @param {Element} element
 * @param {readonly Child[]} children
 */
function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === "number" ? String(child) : child);
  }
}

/**
 * Replaces all children of an element.
 *
 * @param {Element} element
 * @param {...(Child | readonly Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children.flat());
}

/**
 * Returns a URL from data if it is safe to open, otherwise undefined.
 *
 * @param {unknown} text
 * @returns {string | undefined}
 */
export function safeHref(text) {
  if (typeof text !== "string" || !/^https?:\/\//i.test(text)) return undefined;
  return URL.canParse(text) ? text : undefined;
}
