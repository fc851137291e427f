/**
 * Draws an issue as a row of a list.
 *
 * @module
 */
import { ACTIONS, actionsFor } from "../actions.js";
import { sparkline } from "../chart.js";
import { fill, h } from "../dom.js";
import { avatar, levelBadge, statusBadge } from "../parts/badges.js";
import { iconButton } from "../parts/controls.js";
import { href } from "../router.js";
import { ago, count } from "../time.js";

/** @import { Action } from "../server/issues.js" */
/** @import * as model from "../model.js" */

/**
 * Splits `Type: value`, so that the type can be highlighted.
 *
 * @param {string} title
 * @returns {{ head: string, rest: string }}
 */
export function splitTitle(title) {
  const match = /^([\w$.]{2,60}(?:Error|Exception|Fault|Warning)\w*):\s*(.*)$/s.exec(title);
  return match === null
    ? { head: "", rest: title }
    : { head: match[1] ?? "", rest: match[2] ?? "" };
}

/** Creates an empty row of the list. @param {string} issueId */
export function issueRow(issueId) {
  return h("li", { class: "row issue", data: { issue: issueId } });
}

/**
 * Redraws a row.
 *
 * @param {HTMLElement} row
 * @param {model.Issue} issue
 * @param {{ who: model.Member | undefined, showStatus: boolean, isPicked: boolean, pick: (picked:
 * boolean, isRange: boolean) => void, act: (action: Action, control: HTMLButtonElement) => void, }}
 * options
 */
export function drawIssueRow(row, issue, { who, showStatus, isPicked, pick, act }) {
  const { head, rest } = splitTitle(issue.title);
  const box = h("input", {
    type: "checkbox",
    "aria-label": `Select ${issue.title}`,
    onclick: (/** @type {MouseEvent} */ event) => pick(box.checked, event.shiftKey),
  });
  box.checked = isPicked;
  row.dataset.level = issue.level;
  row.classList.toggle("done", issue.status !== "unresolved" && showStatus);
  row.classList.toggle("picked", isPicked);
  fill(
    row,
    h("label", { class: "pick" }, box),
    h(
      "div",
      { class: "row-main" },
      h(
        "a",
        {
          class: "row-title",
          href: href(["issues", issue.id]),
          title: issue.title,
          data: { row: "" },
        },
        head && h("b", null, head),
        head && rest ? " " : null,
        rest,
      ),
      h(
        "div",
        { class: "row-sub" },
        levelBadge(issue.level),
        showStatus && statusBadge(issue.status),
        issue.culprit && h("span", { class: "culprit", title: issue.culprit }, issue.culprit),
        h("span", { class: "row-first" }, "first ", ago(issue.firstSeen)),
      ),
    ),
    h("span", { class: "row-chart" }),
    h("span", { class: "row-count", title: `${issue.count} events` }, count(issue.count)),
    h("span", { class: "row-users", title: `${issue.users} users` }, count(issue.users)),
    h("span", { class: "row-when" }, ago(issue.lastSeen)),
    h("span", { class: "row-who" }, who === undefined ? null : avatar(who.name)),
    h(
      "span",
      { class: "row-actions" },
      actionsFor(issue.status).slice(0, 2).map((action) => {
        const { text, icon } = ACTIONS[action];
        const control = iconButton(icon, text, { onclick: () => act(action, control) });
        return control;
      }),
    ),
  );
}

/**
 * Draws the chart of an issue's events.
 *
 * @param {HTMLElement} row
 * @param {readonly model.Bucket[]} buckets
 */
export function drawIssueChart(row, buckets) {
  const place = row.querySelector(".row-chart");
  if (place) fill(place, sparkline(buckets));
}

/**
 * Redraws those numbers of a row that change when events arrive.
 *
 * @param {HTMLElement} row
 * @param {model.Issue} issue
 */
export function drawIssueNumbers(row, issue) {
  const [n, when] = [row.querySelector(".row-count"), row.querySelector(".row-when")];
  if (n) n.textContent = count(issue.count);
  if (when) fill(when, ago(issue.lastSeen));
}
