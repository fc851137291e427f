/**
 * The dashboard: a summary of a project with live numbers.
 *
 * @module
 */
import { barList, columnChart } from "../chart.js";
import { fill, h } from "../dom.js";
import { levelBadge } from "../parts/badges.js";
import { select } from "../parts/controls.js";
import { empty, panel } from "../parts/panel.js";
import { load } from "../parts/work.js";
import { href } from "../router.js";
import * as dashboardApi from "../server/dashboard.js";
import { ago, count, plural } from "../time.js";

/** @import { Context } from "../app.js" */
/** @import * as model from "../model.js" */

/** Minimum interval between two loads of numbers that change with events, in milliseconds. */
const REFRESH_MS = 5_000;
/** Interval at which the live numbers are drawn, in milliseconds. */
const LIVE_MS = 1_000;
/** The levels, most severe first. */
const WORST = ["fatal", "error", "warning", "info", "debug"];

/**
 * Draws the dashboard, and updates it while it is shown.
 *
 * @param {Context} context
 * @returns {HTMLElement}
 */
export function dashboardView({ app, project, signal }) {
  const [stats, volume, levels, top, tags] = Array.from({ length: 5 }, () => h("div"));
  if (!stats || !volume || !levels || !top || !tags) throw new Error("unreachable");
  stats.className = "stats";

  const unresolved = h("strong", null, "–");
  const perMinute = h("strong", null, "0");
  const sinceOpen = h("span", null, "Waiting for events");
  /** The period of a column of the chart. @type {"hour" | "day"} */
  let bucket = "hour";
  let tag = "";

  const loadStats = (quiet = false) =>
    load(stats, signal, () => dashboardApi.health(project.id, signal), (health) => {
      unresolved.textContent = count(health.unresolved);
      return [
        tile("Events", h("strong", null, count(health.events)), "in 24 hours"),
        tile("Unresolved issues", unresolved, "all time", "#/issues?status=unresolved"),
        tile("New issues", h("strong", null, count(health.fresh)), "in 24 hours"),
        tile("Live", perMinute, sinceOpen, "#/live"),
      ];
    }, { bones: 1, quiet });
  const loadVolume = (quiet = false) =>
    load(
      volume,
      signal,
      () => dashboardApi.volume(project.id, bucket, signal),
      (buckets) => columnChart(buckets, { daily: bucket === "day", signal }),
      { quiet, bones: 8 },
    );
  const loadLevels = (quiet = false) =>
    load(
      levels,
      signal,
      () => dashboardApi.levels(project.id, signal),
      (values) =>
        values.length === 0
          ? empty("No events in 24 hours")
          : barList(values.toSorted((a, b) => WORST.indexOf(a.value) - WORST.indexOf(b.value)), {
            kindOf: (level) => level,
            hrefOf: (level) => href(["issues"], { level, status: "unresolved" }),
          }),
      { quiet },
    );
  const loadTop = (quiet = false) =>
    load(top, signal, () => dashboardApi.topIssues(project.id, signal), topList, { quiet });
  const loadTags = (quiet = false) =>
    load(
      tags,
      signal,
      async () => {
        if (tag === "") await findTags();
        return tag === "" ? [] : await dashboardApi.tagValues(project.id, tag, signal);
      },
      (values) =>
        values.length === 0
          ? empty("No tags in 24 hours", "Events may say browser, region, and whatever helps.")
          : barList(values.slice(0, 7), {
            hrefOf: (value) => href(["search"], { tag: `${tag}:${value}` }),
          }),
      { quiet },
    );

  /** Loads the tags; the most common is shown first. */
  async function findTags() {
    const keys = await dashboardApi.tagKeys(project.id, signal);
    tag = keys[0]?.value ?? "";
    fill(tagSelect, keys.map(({ value }) => h("option", { value }, value)));
    tagSelect.hidden = tag === "";
  }

  const all = [loadStats, loadVolume, loadLevels, loadTop, loadTags];
  // Live updates: counts are changed at once, and other numbers are loaded again soon after.
  let stale = false;
  const drawLive = () => {
    perMinute.textContent = count(app.perMinute);
    sinceOpen.textContent = app.seen === 0
      ? "events per minute"
      : `per minute · ${plural(app.seen, "event")} seen`;
  };
  drawLive();
  app.onLive(signal, (message) => {
    if (message.type === "issue_count") unresolved.textContent = count(Number(message.count));
    stale = true;
  });
  const ticker = setInterval(drawLive, LIVE_MS);
  const refresher = setInterval(() => {
    if (!stale || document.hidden) return;
    stale = false;
    for (const one of all) one(true);
  }, REFRESH_MS);
  signal.addEventListener("abort", () => {
    clearInterval(ticker);
    clearInterval(refresher);
  });

  const bucketSelect = select([["hour", "By hour"], ["day", "By day"]], bucket, {
    "aria-label": "Columns",
    class: "small",
    onchange: () => {
      bucket = bucketSelect.value === "day" ? "day" : "hour";
      loadVolume();
    },
  });
  const tagSelect = select([], tag, {
    hidden: true,
    "aria-label": "Tag",
    class: "small",
    onchange: () => {
      tag = tagSelect.value;
      loadTags();
    },
  });
  for (const one of all) one();
  return h(
    "div",
    { class: "view" },
    h("header", { class: "view-head" }, h("h1", null, project.name)),
    stats,
    h(
      "div",
      { class: "grid" },
      panel("Events", { class: "wide", tools: bucketSelect }, volume),
      panel("Levels", { class: "levels" }, levels),
      panel("Top issues", {
        class: "wide flush",
        tools: h("a", { href: "#/issues?status=unresolved" }, "All issues"),
      }, top),
      panel("Tags", { tools: tagSelect }, tags),
    ),
  );
}

/**
 * Draws a number with a label and a note.
 *
 * @param {string} label
 * @param {HTMLElement} value
 * @param {string | HTMLElement} note
 * @param {string} [address]
 */
function tile(label, value, note, address) {
  const body = [
    h("span", { class: "stat-label" }, label),
    value,
    typeof note === "string" ? h("span", null, note) : note,
  ];
  return address === undefined
    ? h("div", { class: "stat" }, body)
    : h("a", { class: "stat", href: address }, body);
}

/** Draws the issues with the most events. @param {model.Issue[]} issues */
function topList(issues) {
  if (issues.length === 0) {
    return empty("No unresolved issues", "Nothing to do, or nothing sends events yet.");
  }
  const list = h("ul", { class: "rows" });
  fill(
    list,
    issues.map((issue) =>
      h(
        "li",
        { class: "row compact" },
        levelBadge(issue.level),
        h(
          "a",
          { class: "row-title", href: href(["issues", issue.id]), data: { row: "" } },
          issue.title,
        ),
        h("span", { class: "row-when" }, ago(issue.lastSeen)),
        h("span", { class: "row-count" }, count(issue.recent ?? issue.count)),
      )
    ),
  );
  return list;
}
