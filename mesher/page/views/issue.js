/**
 * The view of one issue: actions, one of its events, and lists of its other data.
 *
 *     #/issues/<id>               its latest event
 *     #/issues/<id>/events        all of its events
 *     #/issues/<id>/tags          the tags of its events
 *     #/issues/<id>/activity      its history and comments
 *     #/issues/<id>/merged        its merged fingerprints, which can be split off
 *     #/issues/<id>/<event id>    that event
 *
 * @module
 */
import { ACTIONS, actionsFor, actOn } from "../actions.js";
import { barList, columnChart } from "../chart.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { levelBadge, statusBadge } from "../parts/badges.js";
import { button } from "../parts/controls.js";
import { empty, panel, tabs } from "../parts/panel.js";
import { attempt, load } from "../parts/work.js";
import { go, href } from "../router.js";
import * as issuesApi from "../server/issues.js";
import { ApiError } from "../server/request.js";
import { eventRows } from "./event_rows.js";
import { issueActivity } from "./issue_activity.js";
import { showEvent } from "./issue_event.js";
import { issueFacts } from "./issue_facts.js";
import { issueMerged } from "./issue_merged.js";
import { splitTitle } from "./issue_row.js";

/** @import { Context } from "../app.js" */
/** @import { Action } from "../server/issues.js" */
/** @import * as model from "../model.js" */

/**
 * Draws the view of an issue, and updates it while it is shown.
 *
 * @param {Context} context
 * @returns {HTMLElement}
 */
export function issueView({ app, place, signal, keys, title }) {
  const [, issueId = "", which = ""] = place.parts;
  const head = h("div", { class: "issue-head" });
  const facts = h("aside", { class: "issue-facts", "aria-label": "About this issue" });
  const chart = h("div", { class: "panel issue-chart", "aria-label": "Events of 30 days" });
  const body = h("div", { class: "issue-body" });
  const view = h("div", { class: "view issue-view" });
  /** The issue, once it is loaded. @type {model.Issue | null} */
  let issue = null;

  const refresh = (quiet = false) =>
    load(head, signal, find, (found) => {
      issue = found;
      title(found.title);
      fill(facts, ...issueFacts(found, app, changed));
      if (chart.childElementCount === 0) drawChart(found);
      return headOf(found, { run: runAndFocus, changed });
    }, { bones: 2, quiet });

  const changed = () => {
    if (!signal.aborted) refresh(true);
  };

  async function find() {
    try {
      return await issuesApi.issue(issueId, signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) fill(view, ...missing());
      throw error;
    }
  }

  /** Loads and draws the chart of the issue's events. @param {model.Issue} found */
  async function drawChart(found) {
    const of = issuesApi.volumes(found.projectId, [found.id], "30d", signal);
    const volumes = await of.catch(() => null);
    const buckets = volumes?.get(found.id);
    if (buckets === undefined || signal.aborted) return;
    fill(chart, columnChart(buckets, { height: 110, daily: true, signal }));
  }

  refresh();
  if (which === "tags") showTags(body, issueId, signal);
  else if (which === "activity") body.append(issueActivity({ app, issueId, signal }));
  else if (which === "merged") body.append(issueMerged({ issueId, signal }));
  else if (which === "events") {
    const rows = eventRows({
      signal,
      fetchPage: (query) => issuesApi.issueEvents(issueId, query, signal),
      hrefOf: (event) => href(["issues", issueId, event.id]),
      none: empty("No events are stored"),
    });
    body.append(rows);
  } else showEvent(body, { issueId, eventId: which, signal, keys });

  keys({
    u: () => go("#/issues"),
    e: () => act("resolve", "unresolve"),
    x: () => act("archive"),
    a: () => document.getElementById("assign")?.focus(),
  });
  /**
   * Performs the first of these actions that is available in the issue's state.
   *
   * @param {...Action} wanted
   */
  function act(...wanted) {
    const now = issue;
    const action = now && wanted.find((one) => actionsFor(now.status).includes(one));
    if (action) run(action, null);
  }
  /**
   * Performs an action on the issue, and reloads it. Resolves with whether it was done.
   *
   * @param {Action} action
   * @param {HTMLButtonElement | null} button
   */
  async function run(action, button) {
    if (issue === null) return false;
    const again = () => signal.aborted ? undefined : refresh(true);
    const done = await actOn([issue], action, { button, undone: again });
    if (done.length > 0) await again();
    return done.length > 0;
  }
  /**
   * Performs the action of a button, and then moves the focus.
   *
   * @param {Action} action
   * @param {HTMLButtonElement} button
   */
  async function runAndFocus(action, button) {
    const isDone = await run(action, button);
    // Moves the focus, because the button that had it was removed.
    if (isDone) head.querySelector("button")?.focus();
    return isDone;
  }
  let stale = false;
  app.onLive(signal, (message) => {
    if (message.issue_id === issueId) stale = true;
  });
  const timer = setInterval(() => {
    if (!stale || document.hidden || head.contains(document.activeElement)) return;
    stale = false;
    refresh(true);
  }, 2_000);
  signal.addEventListener("abort", () => clearInterval(timer));

  fill(
    view,
    h("a", { class: "up", href: "#/issues" }, icon("back"), "Issues"),
    head,
    facts,
    chart,
    issueTabs(issueId, which),
    body,
  );
  return view;
}

/**
 * Returns the title of an issue and its actions.
 *
 * @param {model.Issue} found
 * @param {{
 *   run: (action: Action, control: HTMLButtonElement) => Promise<boolean>,
 *   changed: () => void,
 * }} options `run`: performs an action, and moves the focus. `changed`: called after other changes.
 */
function headOf(found, { run, changed }) {
  const { head: type, rest } = splitTitle(found.title);
  return [
    h(
      "div",
      { class: "issue-title" },
      h("h1", null, type && h("b", null, type), type ? " " : null, rest),
      h(
        "p",
        { class: "row-sub" },
        levelBadge(found.level),
        statusBadge(found.status),
        found.resolvedAfter !== null &&
          h("span", null, `in the release after ${found.resolvedAfter}`),
        found.culprit && h("span", { class: "culprit" }, found.culprit),
      ),
    ),
    h(
      "div",
      { class: "toolbar" },
      actionsFor(found.status).map((action, i) => {
        const { text, icon: name } = ACTIONS[action];
        const act = button(text, {
          icon: name,
          kind: i === 0 ? "primary" : "",
          onclick: () => run(action, act),
        });
        return act;
      }),
      found.status === "unresolved" && found.lastRelease !== null && nextRelease(found, changed),
      button(ACTIONS.delete.text, {
        icon: "trash",
        kind: "quiet",
        onclick: async () => {
          const done = await actOn([found], "delete", { undone: () => {} });
          if (done.length > 0) go("#/issues");
        },
      }),
    ),
  ];
}

/**
 * Returns a button that resolves an issue in the next release.
 *
 * @param {model.Issue} found
 * @param {() => void} changed Called after the issue was resolved.
 */
function nextRelease(found, changed) {
  const control = button("Resolve in next release", {
    title: "Only a release after the project's latest reopens it",
    onclick: async () => {
      await attempt(control, () => issuesApi.resolveInNextRelease(found.id));
      changed();
    },
  });
  return control;
}

/**
 * Shows the tags of an issue's events.
 *
 * @param {HTMLElement} body
 * @param {string} issueId
 * @param {AbortSignal} signal
 */
function showTags(body, issueId, signal) {
  return load(
    body,
    signal,
    () => issuesApi.issueTags(issueId, signal),
    (tags) =>
      tags.length === 0 ? empty("No tags in 30 days") : h(
        "div",
        { class: "tiles" },
        tags.map(({ key, values }) =>
          panel(
            key,
            {},
            barList(values, {
              hrefOf: (value) => href(["search"], { tag: `${key}:${value}` }),
            }),
          )
        ),
      ),
  );
}

/**
 * Returns the tabs of the view. `which` is the current tab, or the id of an event.
 *
 * @param {string} issueId
 * @param {string} which
 */
function issueTabs(issueId, which) {
  const isEvent = !["events", "tags", "activity", "merged"].includes(which);
  return tabs("Issue", [
    {
      text: isEvent && which !== "" ? "Event" : "Latest event",
      href: href(["issues", issueId]),
      current: isEvent,
    },
    {
      text: "All events",
      href: href(["issues", issueId, "events"]),
      current: which === "events",
    },
    { text: "Tags", href: href(["issues", issueId, "tags"]), current: which === "tags" },
    {
      text: "Activity",
      href: href(["issues", issueId, "activity"]),
      current: which === "activity",
    },
    { text: "Merged", href: href(["issues", issueId, "merged"]), current: which === "merged" },
  ]);
}

function missing() {
  return [
    h("h1", null, "Issue"),
    empty(
      "There is no such issue",
      "It was deleted, or it is not yours to see.",
      button("To the issues", { onclick: () => go("#/issues") }),
    ),
  ];
}
