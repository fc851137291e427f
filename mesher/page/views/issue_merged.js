/**
 * The view of an issue's fingerprints. Merged fingerprints can be split off again.
 *
 * @module
 */
import { h } from "../dom.js";
import { button } from "../parts/controls.js";
import { toast } from "../parts/toast.js";
import { attempt, load } from "../parts/work.js";
import { go, href } from "../router.js";
import * as issuesApi from "../server/issues.js";
import { ago } from "../time.js";

/** @import * as model from "../model.js" */

/**
 * Draws the fingerprints of an issue.
 *
 * @param {{ issueId: string, signal: AbortSignal }} options
 * @returns {HTMLElement}
 */
export function issueMerged({ issueId, signal }) {
  const body = h("div");
  load(
    body,
    signal,
    () => issuesApi.fingerprints(issueId, signal),
    (prints) => listOf(issueId, prints),
    { bones: 3 },
  );
  return h("section", { class: "panel flush" }, body);
}

/**
 * Draws the list of fingerprints, with a button that splits off the selected ones.
 *
 * @param {string} issueId
 * @param {readonly model.Fingerprint[]} prints
 */
function listOf(issueId, prints) {
  const boxes = new Map(prints.map(({ fingerprint, title }) => [
    fingerprint,
    h("input", { type: "checkbox", "aria-label": `Select ${title}`, onchange: () => draw() }),
  ]));
  const chosen = () => [...boxes].filter(([, box]) => box.checked).map(([print]) => print);
  const split = button("Split off", {
    kind: "small",
    onclick: () =>
      attempt(split, async () => {
        const made = await issuesApi.split(issueId, chosen());
        toast("Split off: its events follow", {});
        go(href(["issues", made.id]));
      }),
  });
  function draw() {
    const count = chosen().length;
    split.disabled = count === 0 || count === prints.length;
  }
  draw();
  return [
    h(
      "p",
      { class: "dim pad" },
      prints.length === 1
        ? "All events of this issue have one fingerprint. To merge issues, select them in the list."
        : "These errors are one issue. Select some to make them an issue of their own again.",
    ),
    h(
      "ul",
      { class: "rows" },
      prints.map(({ fingerprint, title, culprit, mergedAt }) =>
        h(
          "li",
          { class: "row print" },
          prints.length > 1 && h("label", { class: "pick" }, boxes.get(fingerprint)),
          h(
            "div",
            { class: "row-main" },
            h("span", { class: "row-title" }, title),
            h(
              "div",
              { class: "row-sub" },
              h("code", null, fingerprint.slice(0, 12)),
              culprit && h("span", { class: "culprit" }, culprit),
            ),
          ),
          h(
            "span",
            { class: "row-when" },
            mergedAt === null ? "its own" : ["merged ", ago(mergedAt)],
          ),
        )
      ),
    ),
    prints.length > 1 && h("div", { class: "list-foot" }, split),
  ];
}
