/**
 * The view of an event of which only the id is known. Finds the event's issue and navigates to it.
 *
 * @module
 */
import { h } from "../dom.js";
import { load } from "../parts/work.js";
import { href } from "../router.js";
import * as eventsApi from "../server/events.js";

/** @import { Context } from "../app.js" */

/**
 * Draws a placeholder until the event's issue is known.
 *
 * @param {Context} context
 * @returns {HTMLElement}
 */
export function eventView({ place, signal }) {
  const eventId = place.parts[1] ?? "";
  const box = h("div", { class: "view" });
  load(box, signal, () => eventsApi.event(eventId, signal), (event) => {
    location.replace(href(["issues", event.issueId, event.id]));
    return null;
  });
  return box;
}
