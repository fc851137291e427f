/**
 * The live stream: events as they are stored, filtered by the server.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { LiveStream } from "../live.js";
import { LEVEL_OPTIONS } from "../parts/badges.js";
import { button, iconButton, select } from "../parts/controls.js";
import { empty } from "../parts/panel.js";
import { go, href, withQuery } from "../router.js";
import { summaryFrom } from "../server/events.js";
import { objectOf } from "../server/values.js";
import { plural } from "../time.js";
import { eventRow } from "./event_rows.js";

/** @import { Context } from "../app.js" */
/** @import { LiveState } from "../live.js" */
/** @import * as model from "../model.js" */

/** This many events stay on the page: the oldest go. */
const EVENTS_MAX = 200;
/** Events are drawn this often, however many come. */
const DRAW_MS = 250;

/** @param {Context} context @returns {HTMLElement} */
export function liveView({ place, project, signal, keys }) {
  const level = place.query.get("level") ?? "";
  const environment = place.query.get("environment") ?? "";
  const list = h("ul", {
    class: "rows live-rows",
    "aria-label": "Live events",
    "aria-live": "off",
  });
  const note = h("p", { class: "live-note", role: "status" });
  const none = empty("Listening", "Events appear here the moment they are stored.");
  /** @type {model.EventSummary[]} */
  let waiting = [];
  let [total, missed, paused] = [0, 0, false];

  /** @type {LiveState} */
  let state = "connecting";
  const stream = new LiveStream({
    projectId: project.id,
    filters: { level, environment },
    onState: (to) => {
      state = to;
      drawNote();
    },
    onMessage: (message) => {
      if (message.type !== "event") return;
      total++;
      waiting.push(summaryFrom({ ...objectOf(message.data), issue_id: message.issue_id }));
      if (waiting.length > EVENTS_MAX) {
        missed += waiting.length - EVENTS_MAX;
        waiting = waiting.slice(-EVENTS_MAX);
      }
    },
  });
  const timer = setInterval(() => {
    drawNote();
    if (paused || waiting.length === 0) return;
    const rows = waiting.map((event) => eventRow(event, href(["issues", event.issueId, event.id])));
    waiting = [];
    none.hidden = true;
    list.prepend(...rows.reverse());
    while (list.children.length > EVENTS_MAX) list.lastElementChild?.remove();
  }, DRAW_MS);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    stream.close();
  });

  const pause = button("Pause", { icon: "pause", onclick: () => setPaused(!paused) });
  /** @param {boolean} to */
  function setPaused(to) {
    paused = to;
    pause.setAttribute("aria-pressed", String(paused));
    fill(pause, icon(paused ? "play" : "pause"), h("span", null, paused ? "Continue" : "Pause"));
    drawNote();
  }
  keys({ p: () => setPaused(!paused) });

  function drawNote() {
    const words = state === "waiting"
      ? "The connection is lost; trying again"
      : state !== "open"
      ? "Connecting"
      : paused
      ? `Paused · ${plural(waiting.length, "event")} waiting`
      : `Listening · ${plural(total, "event")} so far`;
    const text = missed > 0 ? `${words} · ${plural(missed, "event")} too many to show` : words;
    if (note.textContent !== text) note.textContent = text;
    note.dataset.state = paused ? "paused" : state;
  }

  const levelSelect = select(LEVEL_OPTIONS, level, {
    id: "live-level",
    "aria-label": "Level",
    onchange: () => go(withQuery(place, { level: levelSelect.value })),
  });
  const environmentBox = h("input", {
    id: "live-environment",
    type: "search",
    placeholder: "Any environment",
    "aria-label": "Environment",
    value: environment,
    data: { search: "" },
    onchange: () => go(withQuery(place, { environment: environmentBox.value.trim() })),
  });
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
      levelSelect,
      environmentBox,
      h("span", { class: "spring" }),
      pause,
      iconButton("trash", "Clear", {
        onclick: () => {
          fill(list);
          none.hidden = false;
        },
      }),
    ),
    h("div", { class: "panel flush" }, none, list),
  );
}
