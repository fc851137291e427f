/**
 * The list of keyboard shortcuts, which `?` opens.
 *
 * @module
 */
import { h } from "./dom.js";

/** The keys and their descriptions. @type {readonly (readonly [string, string])[]} */
const KEYS = [
  ["j  k", "Next, previous row"],
  ["Enter", "Open the row"],
  ["/", "Search"],
  ["e", "Resolve the issues, or reopen them"],
  ["m", "Merge the selected issues"],
  ["x", "Ignore the issues"],
  ["s", "Select the issue, or no longer"],
  ["Esc", "Select none"],
  ["z", "Undo what was done last"],
  ["a", "Assign the issue"],
  ["p", "Pause or continue the live stream"],
  ["←  →", "Older, newer event"],
  ["u", "Back to the list"],
  ["?", "This list"],
];

/** Shows the list of shortcuts. @param {readonly { key: string, text: string }[]} places */
export function showHelp(places) {
  const rows = [
    ...KEYS,
    ...places.map(({ key, text }) => /** @type {const} */ ([`g ${key}`, `Go to ${text}`])),
  ];
  const dialog = h(
    "dialog",
    { class: "dialog wide", "aria-label": "Keyboard" },
    h(
      "form",
      { method: "dialog" },
      h("h2", null, "Keyboard"),
      h(
        "dl",
        { class: "keys" },
        rows.map(([keys, what]) =>
          h(
            "div",
            null,
            h("dt", null, keys.split(/\s+/).map((key) => h("kbd", null, key))),
            h("dd", null, what),
          )
        ),
      ),
      h("div", { class: "dialog-foot" }, h("button", { class: "button" }, "Close")),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
