/**
 * A dialog that asks for confirmation of an action that cannot be undone.
 *
 * @module
 */
import { h } from "../dom.js";

/**
 * Asks for confirmation of an action that cannot be undone.
 *
 * @param {string} title
 * @param {string} words
 * @param {string} yes
 * @param {{ isSafe?: boolean }} [options] `isSafe`: whether no data is lost.
 * @returns {Promise<boolean>}
 */
export function confirm(title, words, yes, { isSafe = false } = {}) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-label": title },
      h(
        "form",
        { method: "dialog" },
        h("h2", null, title),
        h("p", null, words),
        h(
          "div",
          { class: "dialog-foot" },
          h("button", { class: "button", value: "" }, "Cancel"),
          h("button", { class: `button ${isSafe ? "primary" : "danger"}`, value: "yes" }, yes),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
