/**
 * The head of the list of issues: the names of its columns or, if rows are selected, the actions on
 * them.
 *
 * @module
 */
import { ACTIONS, actionsFor } from "../actions.js";
import { fill, h } from "../dom.js";
import { button } from "../parts/controls.js";
import { plural } from "../time.js";

/** @import { Action } from "../server/issues.js" */
/** @import { Selection } from "../selection.js" */
/** @import * as model from "../model.js" */

/**
 * Draws the head of the list, and redraws it when the selection changes.
 *
 * @param {{
 *   selection: Selection, signal: AbortSignal,
 *   issues: () => model.Issue[],
 *   act: (action: Action, control: HTMLButtonElement) => void,
 *   merge: (control: HTMLButtonElement) => void,
 * }} options `issues`: returns all shown issues.
 */
export function issuesHead({ selection, signal, issues, act, merge }) {
  const all = h("input", {
    type: "checkbox",
    "aria-label": "Select all that are shown",
    onclick: () => selection.setAll(issues().map(({ id }) => id), all.checked),
  });
  const rest = h("div", { class: "list-head-rest" });
  const head = h("div", { class: "row issue list-head" }, h("label", { class: "pick" }, all), rest);

  function draw() {
    const shown = issues();
    const picked = shown.filter(({ id }) => selection.has(id));
    all.checked = picked.length > 0 && picked.length === shown.length;
    all.indeterminate = picked.length > 0 && picked.length < shown.length;
    head.classList.toggle("bulk", picked.length > 0);
    fill(rest, ...(picked.length === 0 ? columns() : tools(picked)));
  }

  /** Draws the actions on the selected issues. @param {readonly model.Issue[]} picked */
  function tools(picked) {
    const possible = new Set(picked.flatMap(({ status }) => actionsFor(status)));
    return [
      h("strong", { role: "status" }, `${plural(picked.length, "issue")} selected`),
      h(
        "div",
        { class: "bulk-tools", role: "toolbar", "aria-label": "Selected issues" },
        [...possible].map((action) => {
          const { text, icon } = ACTIONS[action];
          const control = button(text, {
            icon,
            kind: "small",
            onclick: () => act(action, control),
          });
          return control;
        }),
        picked.length > 1 && mergeButton(),
        button("Clear", { kind: "small quiet", onclick: () => selection.clear() }),
      ),
    ];
  }
  function mergeButton() {
    const control = button("Merge", {
      icon: "merge",
      kind: "small",
      onclick: () => merge(control),
    });
    return control;
  }
  selection.addEventListener("change", draw, { signal });
  draw();
  return head;
}

function columns() {
  return [
    h("span", null, "Issue"),
    h("span", { class: "row-chart" }, "24 hours"),
    h("span", { class: "row-count" }, "Events"),
    h("span", { class: "row-users" }, "Users"),
    h("span", { class: "row-when" }, "Last seen"),
    h("span", { class: "row-who" }),
    h("span", { class: "row-actions" }),
  ];
}
