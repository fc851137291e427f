/**
 * The view for searching a project's events by words, level, and tags written as `key:value`.
 *
 * @module
 */
import { h } from "../dom.js";
import { LEVEL_OPTIONS } from "../parts/badges.js";
import { button, select } from "../parts/controls.js";
import { empty } from "../parts/panel.js";
import { go, href } from "../router.js";
import * as eventsApi from "../server/events.js";
import { eventRows } from "./event_rows.js";

/** @import { Context } from "../app.js" */
/** @import * as model from "../model.js" */

/** Example searches. */
const EXAMPLES = ["TypeError", "timeout", "browser:Firefox 133"];

/**
 * Draws the form of a search, and the events that the search has found.
 *
 * @param {Context} context
 * @returns {HTMLElement}
 */
export function searchView({ place, project, signal }) {
  const words = place.query.get("q") ?? "";
  const level = place.query.get("level") ?? "";
  const tag = place.query.get("tag") ?? "";
  const box = h("input", {
    id: "search-words",
    type: "search",
    placeholder: "Words of a message or exception, or key:value of a tag",
    "aria-label": "Search events",
    value: tag || words,
    data: { search: "" },
  });
  const levelSelect = select(LEVEL_OPTIONS, level, {
    id: "search-level",
    "aria-label": "Level",
    onchange: () => submit(box.value.trim()),
  });

  /** Navigates to the results of a search. @param {string} text */
  function submit(text) {
    // The text is a tag if no space precedes its colon and no URL follows it.
    const isTag = /^[\w.-]+:(?!\/\/)\S/.test(text);
    go(href(["search"], isTag ? { tag: text } : { q: text, level: levelSelect.value }));
  }
  return h(
    "div",
    { class: "view" },
    h("header", { class: "view-head" }, h("h1", null, "Search")),
    h(
      "form",
      {
        class: "filters",
        role: "search",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          // Removes the focus from the field, so that keys apply to the results.
          box.blur();
          submit(box.value.trim());
        },
      },
      box,
      levelSelect,
      h("button", { class: "button primary" }, "Search"),
    ),
    found(),
  );

  function found() {
    const hrefOf = (/** @type {model.EventSummary} */ { issueId, id }) =>
      href(["issues", issueId, id]);
    if (tag !== "") {
      const colon = tag.indexOf(":");
      const [key, value] = [tag.slice(0, colon), tag.slice(colon + 1)];
      return eventRows({
        signal,
        hrefOf,
        fetchPage: () => eventsApi.eventsByTag(project.id, { key, value }, signal),
        none: empty("No event has this tag", `${key} is ${value}, in the last 24 hours.`),
      });
    }
    if (words !== "" || level !== "") {
      return eventRows({
        signal,
        hrefOf,
        fetchPage: (query) => eventsApi.events(project.id, { q: words, level, ...query }, signal),
        none: empty(
          "Nothing found",
          "All words must be in the event. The last may be a beginning.",
        ),
      });
    }
    return h(
      "div",
      { class: "panel" },
      empty(
        "Search the events of this project",
        "All words must be in the title, message or exception. A tag is written key:value.",
        h(
          "div",
          { class: "examples" },
          EXAMPLES.map((text) => button(text, { kind: "small", onclick: () => submit(text) })),
        ),
      ),
    );
  }
}
