/**
 * Search in the events of a project: words, a level, and tags as `key:value`.
 *
 * @module
 */
import * as api from "../api.js";
import { h } from "../dom.js";
import { button, empty } from "../parts.js";
import { go, href } from "../router.js";
import { eventRows } from "./event_rows.js";

/** @import { Context } from "../app.js" */

/** @param {Context} context @returns {HTMLElement} */
export function searchView({ place, project, signal }) {
  const words = place.query.get("q") ?? "";
  const tag = place.query.get("tag") ?? "";
  const colon = tag.indexOf(":");
  const [key, value] = colon > 0 ? [tag.slice(0, colon), tag.slice(colon + 1)] : ["", ""];
  const box = h("input", {
    id: "search-words",
    type: "search",
    placeholder: "Words of a message or exception, or key:value of a tag",
    "aria-label": "Search events",
    value: key === "" ? words : tag,
    data: { search: "" },
    autofocus: true,
  });
  const found = key !== ""
    ? eventRows({
      signal,
      fetchPage: (query) => api.searchTag(project.id, { key, value, ...query }, signal),
      hrefOf: (event) => href(["issues", event.issueId, event.id]),
      none: empty("No event has this tag", `${key} is ${value}, in the last 24 hours.`),
    })
    : words !== ""
    ? eventRows({
      signal,
      fetchPage: (query) => api.search(project.id, { q: words, ...query }, signal),
      hrefOf: (event) => href(["issues", event.issueId, event.id]),
      none: empty("Nothing found", "All words must be in the event. The last may be a beginning."),
    })
    : h(
      "div",
      { class: "panel" },
      empty(
        "Search the last 24 hours",
        "All words must be in the title, message or exception. A tag is written key:value.",
        ...["TypeError", "timeout", "environment:production"].map((example) =>
          button(example, { kind: "small", onclick: () => submit(example) })
        ),
      ),
    );

  /** @param {string} text */
  function submit(text) {
    const isTag = /^[\w.-]+:\S/.test(text) && !/\s/.test(text.split(":")[0] ?? "");
    go(href(["search"], isTag ? { tag: text } : { q: text }));
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
          submit(box.value.trim());
        },
      },
      box,
      h("button", { class: "button primary" }, "Search"),
    ),
    found,
  );
}
