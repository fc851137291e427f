/**
 * The view of one issue: actions, one of its events, and all others.
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
import { eventParts } from "../event_parts.js";
import { icon } from "../icons.js";
import { levelBadge, statusBadge } from "../parts/badges.js";
import { button, select } from "../parts/controls.js";
import { empty, panel, tabs } from "../parts/panel.js";
import { attempt, load } from "../parts/work.js";
import { go, href } from "../router.js";
import * as eventsApi from "../server/events.js";
import * as issuesApi from "../server/issues.js";
import { ApiError } from "../server/request.js";
import { ago, count } from "../time.js";
import { eventRows } from "./event_rows.js";
import { issueActivity } from "./issue_activity.js";
import { issueMerged } from "./issue_merged.js";
import { splitTitle } from "./issue_row.js";

/** @import { Context } from "../app.js" */
/** @import { Action } from "../server/issues.js" */
/** @import * as model from "../model.js" */

/** @param {Context} context @returns {HTMLElement} */
export function issueView({ app, place, signal, keys, title }) {
  const [, issueId = "", which = ""] = place.parts;
  const head = h("div", { class: "issue-head" });
  const facts = h("aside", { class: "issue-facts", "aria-label": "About this issue" });
  const chart = h("div", { class: "panel issue-chart", "aria-label": "Events of 30 days" });
  const body = h("div", { class: "issue-body" });
  const view = h("div", { class: "view issue-view" });
  const isEvent = !["events", "tags", "activity", "merged"].includes(which);
  /** @type {model.Issue | null} */
  let issue = null;

  const refresh = (quiet = false) =>
    load(head, signal, find, (found) => {
      issue = found;
      title(found.title);
      drawFacts(found);
      if (chart.childElementCount === 0) drawChart(found);
      return headOf(found);
    }, { bones: 2, quiet });

  async function find() {
    try {
      return await issuesApi.issue(issueId, signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) fill(view, ...missing());
      throw error;
    }
  }

  /** @param {model.Issue} found */
  function headOf(found) {
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
            onclick: async () => {
              if (!await run(action, act)) return;
              // Moves the focus, because the button that had it was removed.
              head.querySelector("button")?.focus();
            },
          });
          return act;
        }),
        found.status === "unresolved" && found.lastRelease !== null && nextRelease(found),
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

  /** @param {model.Issue} found */
  function nextRelease(found) {
    const control = button("Resolve in next release", {
      title: "Only a release after the project's latest reopens it",
      onclick: async () => {
        await attempt(control, () => issuesApi.resolveInNextRelease(found.id));
        if (!signal.aborted) refresh(true);
      },
    });
    return control;
  }

  /** @param {model.Issue} found */
  async function drawChart(found) {
    const of = issuesApi.volumes(found.projectId, [found.id], "30d", signal);
    const volumes = await of.catch(() => null);
    const buckets = volumes?.get(found.id);
    if (buckets === undefined || signal.aborted) return;
    fill(chart, columnChart(buckets, { height: 110, daily: true, signal }));
  }

  /** @param {model.Issue} found */
  function drawFacts(found) {
    const who = select([["", "Nobody"]], "", {
      id: "assign",
      "aria-label": "Assigned to",
      onchange: () =>
        attempt(null, async () => {
          try {
            await issuesApi.assign(found.id, who.value);
          } finally {
            refresh(true);
          }
        }),
    });
    app.members().then((members) => {
      fill(
        who,
        [{ userId: "", name: "Nobody" }, ...members].map(({ userId, name }) =>
          h("option", { value: userId }, name)
        ),
      );
      who.value = found.assignedTo ?? "";
    }, () => {});
    fill(
      facts,
      fact("Events", count(found.count)),
      fact("Users", count(found.users)),
      fact("Last seen", ago(found.lastSeen)),
      fact("First seen", ago(found.firstSeen)),
      found.firstRelease !== null && fact("First release", releaseLink(found.firstRelease)),
      found.lastRelease !== null && fact("Last release", releaseLink(found.lastRelease)),
      fact("Assigned to", who),
    );
  }

  const showTags = () =>
    load(
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

  const showEvent = () =>
    load(body, signal, async () => {
      if (which !== "") return eventsApi.event(which, signal);
      const page = await issuesApi.issueEvents(issueId, { limit: "1" }, signal);
      const latest = page.rows[0];
      return latest === undefined ? null : eventsApi.event(latest.id, signal);
    }, (event) => {
      if (event === null) {
        return empty("No events are stored", "They are older than the project keeps them.");
      }
      const older = stepper("Older", "back", event.previousId);
      const newer = stepper("Newer", "next", event.nextId);
      keys({
        ArrowLeft: () => older.click(),
        ArrowRight: () => newer.click(),
      });
      return [
        h(
          "div",
          { class: "event-bar" },
          h(
            "span",
            null,
            "Event ",
            h("code", null, event.id.slice(0, 8)),
            " · ",
            ago(event.receivedAt),
          ),
          h("span", { class: "steps" }, older, newer),
        ),
        ...eventParts(event),
      ];
    }, { bones: 8 });

  /**
   * @param {string} text
   * @param {"back" | "next"} name
   * @param {string | null} eventId
   */
  function stepper(text, name, eventId) {
    if (eventId === null) {
      return h("a", { class: "button small", "aria-disabled": "true" }, icon(name), text);
    }
    return h(
      "a",
      { class: "button small", href: href(["issues", issueId, eventId]), id: `step-${name}` },
      icon(name),
      text,
    );
  }

  refresh();
  if (which === "tags") showTags();
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
  } else showEvent();

  keys({
    u: () => go("#/issues"),
    e: () => act("resolve", "unresolve"),
    x: () => act("archive"),
    a: () => document.getElementById("assign")?.focus(),
  });
  /** @param {...Action} wanted */
  function act(...wanted) {
    const now = issue;
    const action = now && wanted.find((one) => actionsFor(now.status).includes(one));
    if (action) run(action, null);
  }
  /**
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
    tabs("Issue", [
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
    ]),
    body,
  );
  return view;
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

/** @param {string} version */
function releaseLink(version) {
  return h(
    "a",
    { href: href(["issues"], { q: `release:"${version}"`, status: "all" }), title: version },
    version,
  );
}

/**
 * @param {string} name
 * @param {import("../dom.js").Child} value
 */
function fact(name, value) {
  return h("div", { class: "fact" }, h("span", null, name), h("strong", null, value));
}
