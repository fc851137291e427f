/**
 * One event in the view of its issue.
 *
 * @module
 */
import { h } from "../dom.js";
import { eventParts } from "../event_parts.js";
import { icon } from "../icons.js";
import { empty } from "../parts/panel.js";
import { load } from "../parts/work.js";
import { href } from "../router.js";
import * as eventsApi from "../server/events.js";
import * as issuesApi from "../server/issues.js";
import { ago } from "../time.js";

/** @import { Context } from "../app.js" */

/**
 * Shows one event of an issue, with links to the previous and the next one.
 *
 * @param {HTMLElement} body
 * @param {{ issueId: string, eventId: string } & Pick<Context, "signal" | "keys">} options
 * `eventId`: empty for the latest event.
 */
export function showEvent(body, { issueId, eventId, signal, keys }) {
  return load(body, signal, async () => {
    if (eventId !== "") return eventsApi.event(eventId, signal);
    const page = await issuesApi.issueEvents(issueId, { limit: "1" }, signal);
    const latest = page.rows[0];
    return latest === undefined ? null : eventsApi.event(latest.id, signal);
  }, (event) => {
    if (event === null) {
      return empty("No events are stored", "They are older than the project keeps them.");
    }
    const older = stepper("Older", "back", issueId, event.previousId);
    const newer = stepper("Newer", "next", issueId, event.nextId);
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
}

/**
 * Draws the link to the previous or the next event. The link is disabled if there is no such event.
 *
 * @param {string} text
 * @param {"back" | "next"} name
 * @param {string} issueId
 * @param {string | null} eventId
 */
function stepper(text, name, issueId, eventId) {
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
