/**
 * A secret that was just made: shown, to be copied, this one time.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { button, copyable } from "./controls.js";

/**
 * @param {HTMLElement} box
 * @param {string} words
 * @param {string} secret
 */
export function showOnce(box, words, secret) {
  fill(
    box,
    h(
      "div",
      { class: "once" },
      h("strong", null, words),
      h("p", { class: "hint" }, "Copy it now: it is not shown again."),
      copyable(secret),
      h(
        "div",
        null,
        button("I have it", { kind: "small", onclick: () => fill(box) }),
      ),
    ),
  );
}
