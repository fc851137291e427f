/**
 * The issues of a project: filters, and what can be done to each.
 *
 * @module
 */
import { ACTIONS, actionsFor, actOn } from "../actions.js";
import * as issuesApi from "../server/issues.js";
import { fill, h } from "../dom.js";
import { avatar, LEVEL_OPTIONS, levelBadge, statusBadge } from "../parts/badges.js";
import { button, iconButton, select } from "../parts/controls.js";
import { empty, tabs } from "../parts/panel.js";
import { attempt, load } from "../parts/work.js";
import { go, href, withQuery } from "../router.js";
import { ago, count } from "../time.js";

/** @import { Context } from "../app.js" */
/** @import { Action } from "../actions.js" */
/** @import * as model from "../model.js" */

const STATUSES = /** @type {const} */ ([
  ["unresolved", "Unresolved"],
  ["resolved", "Resolved"],
  ["archived", "Ignored"],
  ["discarded", "Discarded"],
  ["all", "All"],
]);
/** Keys for the row that has the focus. @type {Record<string, Action[]>} */
const ROW_KEYS = { e: ["resolve", "unresolve"], x: ["archive"] };

/** @param {Context} context @returns {HTMLElement} */
export function issuesView({ app, place, project, signal, keys }) {
  const status = place.query.get("status") ?? "unresolved";
  const level = place.query.get("level") ?? "";
  const assigned = place.query.get("assigned_to") ?? "";
  const words = place.query.get("q") ?? "";
  const query = {
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

  /** @type {Map<string, { issue: model.Issue, row: HTMLElement }>} */
  const shown = new Map();
  /** @type {model.Member[]} */
  let members = [];

  const refresh = () => {
    news.hidden = true;
    return load(body, signal, async () => {
      members = await app.members().catch(() => []);
      return issuesApi.issues(project.id, query, signal);
    }, (page) => {
      shown.clear();
      fill(list);
      if (page.rows.length === 0) return nothing(status, level, assigned, words);
      return [listHead(), list, more(page)];
    }, { bones: 8 });
  };

  /** @param {model.Page<model.Issue>} page */
  function more(page) {
    const rows = page.rows.filter(({ id }) => !shown.has(id));
    list.append(...rows.map(addRow));
    const foot = h("div", { class: "list-foot" });
    const { next } = page;
    if (next !== null) {
      const further = button("Show more", {
        onclick: () =>
          attempt(further, async () => {
            const following = await issuesApi.issues(project.id, { ...query, ...next }, signal);
            foot.replaceWith(more(following));
          }),
      });
      foot.append(further);
    }
    return foot;
  }

  /** @param {model.Issue} issue */
  function addRow(issue) {
    const row = h("li", { class: "row issue" });
    shown.set(issue.id, { issue, row });
    drawRow(row, issue);
    return row;
  }

  /**
   * @param {HTMLElement} row
   * @param {model.Issue} issue
   */
  function drawRow(row, issue) {
    const member = members.find(({ userId }) => userId === issue.assignedTo);
    const { head, rest } = splitTitle(issue.title);
    row.dataset.level = issue.level;
    row.classList.toggle("done", issue.status !== "unresolved" && status === "all");
    fill(
      row,
      h(
        "div",
        { class: "row-main" },
        h(
          "a",
          { class: "row-title", href: href(["issues", issue.id]), data: { row: "" } },
          head && h("b", null, head),
          head && rest ? " " : null,
          rest,
        ),
        h(
          "div",
          { class: "row-sub" },
          levelBadge(issue.level),
          status === "all" && statusBadge(issue.status),
          issue.culprit && h("span", { class: "culprit" }, issue.culprit),
          h("span", { class: "row-first" }, "first ", ago(issue.firstSeen)),
        ),
      ),
      h("span", { class: "row-count", title: `${issue.count} events` }, count(issue.count)),
      h("span", { class: "row-when" }, ago(issue.lastSeen)),
      h(
        "span",
        { class: "row-who" },
        member === undefined ? null : avatar(member.name),
      ),
      h(
        "span",
        { class: "row-actions" },
        actionsFor(issue.status).slice(0, 2).map((action) => {
          const { text, icon } = ACTIONS[action];
          const act = iconButton(icon, text, { onclick: () => run(issue, action, act) });
          return act;
        }),
      ),
    );
  }

  /**
   * @param {model.Issue} issue
   * @param {Action} action
   * @param {HTMLButtonElement | null} control
   */
  async function run(issue, action, control) {
    const entry = shown.get(issue.id);
    if (entry === undefined || !await actOn(issue, action, control)) return;
    // Its neighbour gets the focus, so that one goes down a list with one key.
    const neighbour = entry.row.nextElementSibling ?? entry.row.previousElementSibling;
    const focus = entry.row.contains(document.activeElement);
    if (status === "all") {
      entry.issue = { ...issue, status: statusAfter(action) };
      drawRow(entry.row, entry.issue);
      return;
    }
    entry.row.remove();
    shown.delete(issue.id);
    if (shown.size === 0) return refresh();
    const link = neighbour?.querySelector("[data-row]");
    if (focus && link instanceof HTMLElement) link.focus();
  }

  keys(Object.fromEntries(
    Object.entries(ROW_KEYS).map(([key, wanted]) => [key, () => {
      for (const { issue, row } of shown.values()) {
        if (!row.contains(document.activeElement)) continue;
        const action = wanted.find((one) => actionsFor(issue.status).includes(one));
        if (action !== undefined) run(issue, action, null);
      }
    }]),
  ));
  app.onLive(signal, (message) => {
    if (message.type === "event") {
      const known = shown.get(String(message.issue_id));
      if (known === undefined) news.hidden = status !== "unresolved" && status !== "all";
      else {
        known.issue = { ...known.issue, count: known.issue.count + 1, lastSeen: Date.now() };
        const { row, issue } = known;
        const [n, when] = [row.querySelector(".row-count"), row.querySelector(".row-when")];
        if (n) n.textContent = count(issue.count);
        if (when) fill(when, ago(issue.lastSeen));
      }
    }
    if (message.type === "issue" && message.action === "regressed") news.hidden = false;
  });
  refresh();

  const levelSelect = select(LEVEL_OPTIONS, level, {
    id: "filter-level",
    "aria-label": "Level",
    onchange: () => go(withQuery(place, { level: levelSelect.value })),
  });
  const whoSelect = select(whoOptions(app.user, []), assigned, {
    id: "filter-who",
    "aria-label": "Assigned to",
    onchange: () => go(withQuery(place, { assigned_to: whoSelect.value })),
  });
  app.members().then((all) => {
    if (signal.aborted) return;
    fill(whoSelect, whoOptions(app.user, all).map(([value, text]) => h("option", { value }, text)));
    whoSelect.value = assigned;
  }, () => {});
  const box = h("input", {
    id: "filter-words",
    type: "search",
    placeholder: "Filter by title",
    "aria-label": "Filter by title",
    value: words,
    data: { search: "" },
  });
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
    h(
      "form",
      {
        class: "filters",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          go(withQuery(place, { q: box.value.trim() }));
        },
      },
      box,
      levelSelect,
      whoSelect,
    ),
    body,
  );
}

/**
 * `Type: value` apart, so that the type can stand out.
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

/** @param {Action} action @returns {model.IssueStatus} */
function statusAfter(action) {
  if (action === "resolve") return "resolved";
  if (action === "archive") return "archived";
  return action === "discard" ? "discarded" : "unresolved";
}

/**
 * @param {model.User} user
 * @param {model.Member[]} members
 * @returns {[string, string][]}
 */
function whoOptions(user, members) {
  return [
    ["", "Anyone"],
    ["none", "Nobody"],
    [user.id, "Me"],
    ...members.filter(({ userId }) => userId !== user.id)
      .map(({ userId, name }) => /** @type {[string, string]} */ ([userId, name])),
  ];
}

function listHead() {
  return h(
    "div",
    { class: "row issue list-head", "aria-hidden": "true" },
    h("span", null, "Issue"),
    h("span", { class: "row-count" }, "Events"),
    h("span", { class: "row-when" }, "Last seen"),
    h("span", { class: "row-who" }, ""),
    h("span", { class: "row-actions" }),
  );
}

/**
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
