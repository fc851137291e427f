/**
 * A list of events with a button for the next page, used by the search and by an issue.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { levelBadge } from "../parts/badges.js";
import { listFoot, load } from "../parts/work.js";
import { ago } from "../time.js";

/** @import * as model from "../model.js" */

/**
 * Draws a list of events. `none` is the element that is shown if there are no events.
 *
 * @param {{
 *   signal: AbortSignal,
 *   fetchPage: (query: Record<string, string>) => Promise<model.Page<model.EventSummary>>,
 *   hrefOf: (event: model.EventSummary) => string,
 *   none: HTMLElement,
 * }} options
 */
export function eventRows({ signal, fetchPage, hrefOf, none }) {
  const list = h("ul", { class: "rows", "aria-label": "Events" });
  const box = h("div", { class: "panel flush" });

  /**
   * Adds a page of events to the list. Returns the foot of the list.
   *
   * @param {model.Page<model.EventSummary>} page
   * @returns {HTMLElement}
   */
  function more({ rows, next }) {
    list.append(...rows.map((event) => eventRow(event, hrefOf(event))));
    return listFoot(next, async (query) => more(await fetchPage(query)));
  }

  load(box, signal, () => fetchPage({}), (page) => {
    fill(list);
    return page.rows.length === 0 ? none : [list, more(page)];
  }, { bones: 8 });
  return box;
}

/**
 * Draws one event as a row.
 *
 * @param {model.EventSummary} event
 * @param {string} address
 */
export function eventRow(event, address) {
  return h(
    "li",
    { class: "row event", data: { level: event.level } },
    levelBadge(event.level),
    h(
      "div",
      { class: "row-main" },
      h("a", { class: "row-title", href: address, data: { row: "" } }, event.title),
      h(
        "div",
        { class: "row-sub" },
        event.environment && h("span", null, event.environment),
        event.release && h("span", null, event.release),
        event.tags.filter(([key]) => key !== "environment" && key !== "release").slice(0, 3)
          .map(([key, value]) => h("span", { class: "mini" }, `${key}: ${value}`)),
      ),
    ),
    h("span", { class: "row-when" }, ago(event.at)),
  );
}
