/**
 * The view of the live stream: events as they are stored. The server filters by level and
 * environment, and the page by text.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { LiveStream } from "../live.js";
import { LEVEL_OPTIONS } from "../parts/badges.js";
import { button, iconButton, select } from "../parts/controls.js";
import { empty } from "../parts/panel.js";
import { href, withQuery } from "../router.js";
import * as eventsApi from "../server/events.js";
import { objectOf } from "../server/values.js";
import { clockTime, plural } from "../time.js";
import { eventRow } from "./event_rows.js";

/** @import { Context } from "../app.js" */
/** @import { LiveState } from "../live.js" */
/** @import * as model from "../model.js" */

/**
 * Maximum number of events that are shown, and of events that wait while the view is paused. The
 * oldest are removed.
 */
const EVENTS_MAX = 200;
/** Interval at which new events are drawn, in milliseconds. */
const DRAW_MS = 250;

/**
 * Draws the view of the live stream, and adds the events that arrive.
 *
 * @param {Context} context
 * @returns {HTMLElement}
 */
export function liveView({ app, place, project, signal, keys }) {
  const filters = {
    level: place.query.get("level") ?? "",
    environment: place.query.get("environment") ?? "",
    q: place.query.get("q") ?? "",
  };
  const list = h("ul", { class: "rows live-rows", "aria-label": "Live events" });
  const note = h("p", { class: "live-note", role: "status" });
  const none = h("div");
  /** The received events, newest first. @type {model.EventSummary[]} */
  let events = [];
  /** The events that were received but not drawn yet, oldest first. @type {model.EventSummary[]} */
  let waiting = [];
  let [total, missed, isPaused] = [0, 0, false];
  /** The time since which the stream is disconnected. @type {number | null} */
  let lostAt = null;
  /** The state of the stream. @type {LiveState} */
  let state = "connecting";

  const stream = new LiveStream({
    projectId: project.id,
    filters,
    onState: (to) => {
      state = to;
      if (state === "waiting") lostAt ??= Date.now();
      if (state === "open" && lostAt !== null) {
        list.prepend(gap(lostAt, Date.now()));
        lostAt = null;
      }
      drawNote();
      drawNone();
    },
    onMessage: (message) => {
      if (message.type !== "event") return;
      const data = { ...objectOf(message.data), issue_id: message.issue_id };
      const event = eventsApi.summaryFrom(data);
      // The server may still send events of the previous filter, until it has received the new one.
      if (!passes(event, filters)) return;
      total++;
      waiting.push(event);
      if (waiting.length <= EVENTS_MAX) return;
      missed++;
      waiting.shift();
    },
  });

  function draw() {
    drawNote();
    if (isPaused || waiting.length === 0) return;
    const fresh = waiting.reverse();
    waiting = [];
    events = [...fresh, ...events].slice(0, EVENTS_MAX);
    list.prepend(...fresh.map(rowOf));
    while (list.children.length > EVENTS_MAX) list.lastElementChild?.remove();
    drawNone();
  }
  function drawNone() {
    none.hidden = list.childElementCount > 0;
    if (none.hidden) return;
    if (state === "waiting") {
      return fill(none, empty("Not connected", "Events appear here when the node answers again."));
    }
    const isFiltered = filters.level !== "" || filters.environment !== "" || filters.q !== "";
    fill(
      none,
      isFiltered
        ? empty("Listening", "Events that pass these filters appear here.")
        : empty("Listening", "Events appear here the moment they are stored."),
    );
  }
  function drawNote() {
    const words = state === "waiting"
      ? "The connection is lost; trying again"
      : state !== "open"
      ? "Connecting"
      : isPaused
      ? `Paused · ${plural(waiting.length, "event")} waiting`
      : `Listening · ${plural(total, "event")} so far`;
    const text = missed > 0 ? `${words} · ${plural(missed, "event")} too many to show` : words;
    if (note.textContent !== text) note.textContent = text;
    note.dataset.state = isPaused && state === "open" ? "paused" : state;
  }

  /**
   * Changes the filters: shown events that do not match are removed, and the server stops sending
   * them.
   *
   * @param {Partial<typeof filters>} changes
   */
  function change(changes) {
    Object.assign(filters, changes);
    history.replaceState(null, "", withQuery(place, filters));
    stream.setFilters(filters);
    events = events.filter((event) => passes(event, filters));
    waiting = waiting.filter((event) => passes(event, filters));
    fill(list, events.map(rowOf));
    drawNone();
  }

  /** Pauses or resumes the drawing of events. @param {boolean} to */
  function setPaused(to) {
    isPaused = to;
    pause.setAttribute("aria-pressed", String(to));
    fill(pause, icon(to ? "play" : "pause"), h("span", null, to ? "Continue" : "Pause"));
    draw();
  }

  const timer = setInterval(draw, DRAW_MS);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    stream.close();
  });
  const pause = button("Pause", {
    icon: "pause",
    "aria-pressed": "false",
    onclick: () => setPaused(!isPaused),
  });
  keys({ p: () => setPaused(!isPaused) });
  // When the page's own stream has reconnected, this stream reconnects immediately too.
  app.onLive(signal, ({ type }) => {
    if (type === "reconnected") stream.retry();
  });

  const words = h("input", {
    id: "live-words",
    type: "search",
    placeholder: "Words of a title, message or tag",
    "aria-label": "Filter by text",
    value: filters.q,
    data: { search: "" },
    oninput: () => change({ q: words.value.trim() }),
  });
  const level = select(LEVEL_OPTIONS, filters.level, {
    id: "live-level",
    "aria-label": "Level",
    onchange: () => change({ level: level.value }),
  });
  const known = h("datalist", { id: "live-environments" });
  const environment = h("input", {
    id: "live-environment",
    list: "live-environments",
    placeholder: "Any environment",
    "aria-label": "Environment",
    value: filters.environment,
    onchange: () => change({ environment: environment.value.trim() }),
  });
  eventsApi.events(project.id, { limit: "100" }, signal).then(({ rows }) => {
    const names = new Set(rows.map((event) => event.environment).filter((name) => name !== null));
    fill(known, [...names].map((name) => h("option", { value: name })));
  }, () => {});
  draw();
  drawNone();
  return h(
    "div",
    { class: "view" },
    h("header", { class: "view-head" }, h("h1", null, "Live"), note),
    h(
      "form",
      {
        class: "filters live-filters",
        onsubmit: (/** @type {Event} */ event) => event.preventDefault(),
      },
      words,
      level,
      environment,
      known,
      pause,
      iconButton("trash", "Clear", {
        onclick: () => {
          [events, waiting] = [[], []];
          fill(list);
          drawNone();
        },
      }),
    ),
    h("div", { class: "panel flush" }, none, list),
  );
}

/** Draws an event as a row that links to it. @param {model.EventSummary} event */
function rowOf(event) {
  return eventRow(event, href(["issues", event.issueId, event.id]));
}

/**
 * Returns whether an event matches the filters.
 *
 * @param {model.EventSummary} event
 * @param {{ level: string, environment: string, q: string }} filters
 */
function passes(event, { level, environment, q }) {
  if (level !== "" && event.level !== level) return false;
  if (environment !== "" && event.environment !== environment) return false;
  const text = [event.title, event.message, event.release ?? "", ...event.tags.flat()].join("\n")
    .toLowerCase();
  return q.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/**
 * Creates a row about a time in which the page was not connected.
 *
 * @param {number} from
 * @param {number} to
 */
function gap(from, to) {
  return h(
    "li",
    { class: "row gap" },
    `Not connected from ${clockTime(from)} to ${clockTime(to)}: events of that time are under `,
    h("a", { href: "#/search" }, "Search"),
    ".",
  );
}
