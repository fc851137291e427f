/**
 * The view of a project's issues, with filters and actions.
 *
 * @module
 */
import { actionsFor, actOn, mergeAll, statusAfter } from "../actions.js";
import { fill, h } from "../dom.js";
import { button } from "../parts/controls.js";
import { empty, tabs } from "../parts/panel.js";
import { listFoot, load } from "../parts/work.js";
import { go, href, withQuery } from "../router.js";
import { Selection } from "../selection.js";
import * as issuesApi from "../server/issues.js";
import { drawIssueChart, drawIssueNumbers, drawIssueRow, issueRow } from "./issue_row.js";
import { issuesFilters } from "./issues_filters.js";
import { issuesHead } from "./issues_head.js";

/** @import { Context } from "../app.js" */
/** @import { Action } from "../server/issues.js" */
/** @import * as model from "../model.js" */

const STATUSES = /** @type {const} */ ([
  ["unresolved", "Unresolved"],
  ["resolved", "Resolved"],
  ["archived", "Ignored"],
  ["discarded", "Discarded"],
  ["all", "All"],
]);
/**
 * The actions that keys perform on the selected rows, or on the row that has the focus.
 *
 * @type {Record<string, Action[]>}
 */
const ROW_KEYS = { e: ["resolve", "unresolve"], x: ["archive"] };

/**
 * Draws the view of the issues, and updates it while it is shown.
 *
 * @param {Context} context
 * @returns {HTMLElement}
 */
export function issuesView({ app, place, project, signal, keys }) {
  const status = place.query.get("status") ?? "unresolved";
  const level = place.query.get("level") ?? "";
  const assigned = place.query.get("assigned_to") ?? "";
  const words = place.query.get("q") ?? "";
  const sort = place.query.get("sort") ?? "";
  const query = {
    sort,
    status: status === "all" ? null : status,
    level,
    assigned_to: assigned,
    q: words,
  };
  const list = h("ul", { class: "rows", "aria-label": "Issues" });
  const body = h("div", { class: "panel flush" });
  const news = button("New events came: show", {
    kind: "news",
    hidden: true,
    onclick: () => refresh(),
  });

  /**
   * The shown issues and their rows, by issue id.
   *
   * @type {Map<string, { issue: model.Issue, row: HTMLElement }>}
   */
  const shown = new Map();
  /** The members of the organisation. @type {model.Member[]} */
  let members = [];
  const issues = () => [...shown.values()].map(({ issue }) => issue);
  const selection = new Selection();
  const picked = () => issues().filter(({ id }) => selection.has(id));

  const refresh = (quiet = false) => {
    news.hidden = true;
    return load(body, signal, async () => {
      members = await app.members().catch(() => []);
      return issuesApi.issues(project.id, query, signal);
    }, (page) => {
      shown.clear();
      selection.clear();
      fill(list);
      if (page.rows.length === 0) return nothing(status, level, assigned, words);
      const rows = more(page);
      const head = issuesHead({
        selection,
        signal,
        issues,
        act: (action, control) => run(picked(), action, control),
        merge: async (control) => {
          if (await mergeAll(picked(), control) !== null && !signal.aborted) refresh();
        },
      });
      return [head, list, rows];
    }, { bones: 8, quiet });
  };

  /**
   * Adds a page of issues to the list. Returns the foot of the list.
   *
   * @param {model.Page<model.Issue>} page
   * @returns {HTMLElement}
   */
  function more(page) {
    const rows = page.rows.filter(({ id }) => !shown.has(id));
    list.append(...rows.map(addRow));
    drawCharts(rows.map(({ id }) => id));
    return listFoot(page.next, async (next) => {
      const foot = more(await issuesApi.issues(project.id, { ...query, ...next }, signal));
      selection.dispatchEvent(new Event("change"));
      return foot;
    });
  }

  /** The loaded charts, by issue id. @type {Map<string, model.Bucket[]>} */
  const charts = new Map();
  /**
   * Loads and draws the charts of rows that are already shown.
   *
   * @param {string[]} ids
   */
  async function drawCharts(ids) {
    if (ids.length === 0) return;
    const found = await issuesApi.volumes(project.id, ids, "24h", signal).catch(() => null);
    for (const [id, buckets] of found ?? []) {
      charts.set(id, buckets);
      const row = shown.get(id)?.row;
      if (row) drawIssueChart(row, buckets);
    }
  }

  /** Creates the row of an issue. @param {model.Issue} issue */
  function addRow(issue) {
    const row = issueRow(issue.id);
    shown.set(issue.id, { issue, row });
    drawRow(issue, row);
    return row;
  }

  /**
   * Redraws the row of an issue.
   *
   * @param {model.Issue} issue
   * @param {HTMLElement} row
   */
  function drawRow(issue, row) {
    drawIssueRow(row, issue, {
      who: members.find(({ userId }) => userId === issue.assignedTo),
      showStatus: status === "all",
      isPicked: selection.has(issue.id),
      pick: (picked, isRange) => selection.set(issue.id, picked, isRange ? [...shown.keys()] : []),
      act: (action, control) => run([issue], action, control),
    });
    const buckets = charts.get(issue.id);
    if (buckets) drawIssueChart(row, buckets);
  }

  /**
   * Performs an action on those of the issues whose state allows it.
   *
   * @param {readonly model.Issue[]} wanted
   * @param {Action} action
   * @param {HTMLButtonElement | null} button
   */
  async function run(wanted, action, button) {
    const fit = wanted.filter((one) => actionsFor(one.status).includes(action));
    if (fit.length === 0) return;
    // Moves the focus to the next row, so that repeating a key goes through the list.
    const rows = [...shown.keys()];
    const at = Math.max(...fit.map(({ id }) => rows.indexOf(id)));
    const hadFocus = body.contains(document.activeElement);
    const done = await actOn(fit, action, {
      button,
      undone: () => signal.aborted || refresh(true),
    });
    if (signal.aborted || done.length === 0) return;
    for (const issue of done) {
      const entry = shown.get(issue.id);
      if (entry === undefined) continue;
      if (status === "all") {
        entry.issue = { ...entry.issue, status: statusAfter(action) };
        drawRow(entry.issue, entry.row);
      } else {
        entry.row.remove();
        shown.delete(issue.id);
      }
    }
    selection.setAll(done.map(({ id }) => id), false);
    if (shown.size === 0) return refresh();
    if (!hadFocus) return;
    const next = [...rows.slice(at), ...rows.slice(0, at).reverse()].find((id) => shown.has(id));
    const link = shown.get(next ?? "")?.row.querySelector("[data-row]");
    if (link instanceof HTMLElement) link.focus();
  }

  /** Returns the issues to which a key applies: the selected issues, or else the focused one. */
  function meant() {
    if (selection.size > 0) return picked();
    const focused = document.activeElement?.closest("[data-issue]");
    const entry = shown.get(focused?.getAttribute("data-issue") ?? "");
    return entry === undefined ? [] : [entry.issue];
  }

  keys({
    ...Object.fromEntries(
      Object.entries(ROW_KEYS).map(([key, wanted]) => [key, () => {
        const these = meant();
        const possible = these.flatMap((issue) => actionsFor(issue.status));
        const action = wanted.find((one) => possible.includes(one));
        if (action !== undefined) run(these, action, null);
      }]),
    ),
    m: async () => {
      if (await mergeAll(picked(), null) !== null && !signal.aborted) refresh();
    },
    s: () => {
      const id = document.activeElement?.closest("[data-issue]")?.getAttribute("data-issue");
      if (id) selection.set(id, !selection.has(id));
    },
    Escape: () => selection.clear(),
  });
  selection.addEventListener("change", () => {
    for (const [id, { row }] of shown) {
      const isPicked = selection.has(id);
      row.classList.toggle("picked", isPicked);
      const box = row.querySelector("input");
      if (box !== null) box.checked = isPicked;
    }
  }, { signal });
  app.onLive(signal, (message) => {
    if (message.type === "event") {
      const known = shown.get(String(message.issue_id));
      if (known === undefined) news.hidden = status !== "unresolved" && status !== "all";
      else {
        known.issue = { ...known.issue, count: known.issue.count + 1, lastSeen: Date.now() };
        drawIssueNumbers(known.row, known.issue);
      }
    }
    if (message.type === "reconnected") news.hidden = false;
    if (message.type === "issue" && message.action === "regressed") news.hidden = false;
  });
  refresh();

  return h(
    "div",
    { class: "view" },
    h("header", { class: "view-head" }, h("h1", null, "Issues"), news),
    tabs(
      "Status",
      STATUSES.map(([value, text]) => ({
        text,
        href: withQuery(place, { status: value }),
        current: value === status,
      })),
    ),
    issuesFilters({ app, place, signal }),
    body,
  );
}

/**
 * Draws the message for an empty list.
 *
 * @param {string} status
 * @param {...string} filters
 */
function nothing(status, ...filters) {
  if (filters.some(Boolean)) {
    return empty(
      "No issue passes these filters",
      null,
      button("Clear filters", { onclick: () => go(href(["issues"], { status })) }),
    );
  }
  if (status === "unresolved") {
    return empty(
      "No unresolved issues",
      "When a program reports an error, it appears here.",
      button("How to send events", { onclick: () => go("#/settings/keys") }),
    );
  }
  return empty("No issues here");
}
