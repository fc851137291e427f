/**
 * Short words at the edge of the page that go by themselves.
 *
 * @module
 */
import { h } from "../dom.js";
import { icon } from "../icons.js";

/** Toasts go by themselves after this time. */
const TOAST_MS = 5_000;
/** More are not shown at once: the oldest goes. */
const TOASTS_MAX = 4;

/**
 * @param {string} text
 * @param {{ kind?: "plain" | "bad" | "alert", href?: string }} [options]
 */
export function toast(text, { kind = "plain", href } = {}) {
  const box = document.getElementById("toasts");
  if (box === null) return;
  const close = h("button", { class: "icon-button", "aria-label": "Close" }, icon("close"));
  const body = href === undefined ? h("span", null, text) : h("a", { href }, text);
  const one = h("div", { class: `toast ${kind}` }, body, close);
  const gone = setTimeout(() => one.remove(), TOAST_MS);
  close.addEventListener("click", () => {
    clearTimeout(gone);
    one.remove();
  });
  box.append(one);
  while (box.children.length > TOASTS_MAX) box.firstElementChild?.remove();
}
