/**
 * Short messages at the edge of the page, which disappear after some seconds.
 *
 * @module
 */
import { h } from "../dom.js";
import { icon } from "../icons.js";

/** Time after which a message disappears, in milliseconds. */
const TOAST_MS = 5_000;
/** Time after which a message that offers an undo disappears, in milliseconds. */
const UNDO_MS = 10_000;
/** Maximum number of messages shown at once. When it is exceeded, the oldest one is removed. */
const TOASTS_MAX = 4;

/**
 * Shows a message, with a link or a button for an undo if one is passed.
 *
 * @param {string} text
 * @param {{ kind?: "plain" | "bad" | "alert", href?: string, undo?: () => void }} [options]
 */
export function toast(text, { kind = "plain", href, undo } = {}) {
  const box = document.getElementById("toasts");
  if (box === null) return;
  const end = () => {
    clearTimeout(gone);
    one.remove();
  };
  const one = h(
    "div",
    { class: `toast ${kind}` },
    href === undefined ? h("span", null, text) : h("a", { href }, text),
    undo && h("button", {
      type: "button",
      class: "button small quiet undo",
      onclick: () => {
        end();
        undo();
      },
    }, "Undo"),
    h("button", { class: "icon-button", "aria-label": "Close", onclick: end }, icon("close")),
  );
  const gone = setTimeout(end, undo === undefined ? TOAST_MS : UNDO_MS);
  box.append(one);
  while (box.children.length > TOASTS_MAX) box.firstElementChild?.remove();
}

/** Undoes the last action, if the message that offers this is shown. */
export function undoLast() {
  const last = [...document.querySelectorAll("#toasts .undo")].at(-1);
  if (last instanceof HTMLElement) last.click();
}
