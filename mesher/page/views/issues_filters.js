/**
 * The filters of the list of issues. A change navigates to the list with the new filters.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { LEVEL_OPTIONS } from "../parts/badges.js";
import { select } from "../parts/controls.js";
import { go, withQuery } from "../router.js";

/** @import { Context } from "../app.js" */
/** @import * as model from "../model.js" */

/**
 * Draws the filters of the list of issues.
 *
 * @param {Pick<Context, "app" | "place" | "signal">} context
 * @returns {HTMLElement}
 */
export function issuesFilters({ app, place, signal }) {
  const level = place.query.get("level") ?? "";
  const assigned = place.query.get("assigned_to") ?? "";
  const words = place.query.get("q") ?? "";
  const sort = place.query.get("sort") ?? "";
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
  const sortSelect = select(
    [["", "Last seen"], ["first_seen", "First seen"], ["events", "Events"], ["users", "Users"]],
    sort,
    {
      id: "sort",
      "aria-label": "Sort by",
      onchange: () => go(withQuery(place, { sort: sortSelect.value })),
    },
  );
  app.members().then((all) => {
    if (signal.aborted) return;
    fill(whoSelect, whoOptions(app.user, all).map(([value, text]) => h("option", { value }, text)));
    whoSelect.value = assigned;
  }, () => {});
  const box = h("input", {
    id: "filter-words",
    type: "search",
    placeholder: 'release:1.2 user:42 "words"',
    "aria-label": "Search issues",
    title:
      "is:unresolved level:error release:1.2 environment:prod user:42 tag:value words of the title",
    value: words,
    data: { search: "" },
  });
  return h(
    "form",
    {
      class: "filters",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        box.blur();
        go(withQuery(place, { q: box.value.trim() }));
      },
    },
    box,
    levelSelect,
    whoSelect,
    sortSelect,
  );
}

/**
 * Returns the options of the filter by assignment.
 *
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
