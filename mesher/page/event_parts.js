/**
 * Draws the parts of an event: its stack, breadcrumbs, tags, request and other data.
 *
 * @module
 */
import { h } from "./dom.js";
import { objectTable, pairTable } from "./json.js";
import { levelBadge } from "./parts/badges.js";
import { panel } from "./parts/panel.js";
import { href } from "./router.js";
import { stack } from "./stack.js";
import { clockTime, exact } from "./time.js";

/** @import * as model from "./model.js" */

/**
 * Returns the panels of an event. Parts without data have no panel.
 *
 * @param {model.EventDetail} event
 * @returns {HTMLElement[]}
 */
export function eventParts(event) {
  const parts = [];
  const said = event.exceptions.some(({ value }) => value === event.message);
  if (event.message !== "" && !said) {
    parts.push(panel("Message", {}, h("p", { class: "message" }, event.message)));
  }
  if (Object.keys(event.params).length > 0) {
    parts.push(panel(
      "Log message",
      {},
      event.template && h("p", { class: "message" }, event.template),
      objectTable(event.params),
    ));
  }
  if (event.exceptions.length > 0) {
    parts.push(panel("Stack trace", { class: "flush" }, stack(event.exceptions)));
  }
  if (event.tags.length > 0) parts.push(panel("Tags", {}, tagChips(event.tags)));
  if (event.breadcrumbs.length > 0) {
    parts.push(panel("Breadcrumbs", { class: "flush" }, crumbs(event.breadcrumbs)));
  }
  const tables = [];
  const user = event.user.map((
    [key, value],
  ) => /** @type {[string, string]} */ ([`User ${key}`, value]));
  const facts = [...event.facts, ...user];
  if (facts.length > 0) tables.push(panel("Context", {}, pairTable(facts)));
  if (event.request !== null) tables.push(panel("Request", {}, objectTable(event.request)));
  for (const [name, value] of Object.entries(event.contexts)) {
    const isObject = typeof value === "object" && value !== null;
    const table = objectTable(isObject ? { ...value } : { value });
    tables.push(panel(titleOf(name), {}, table));
  }
  if (Object.keys(event.extra).length > 0) {
    tables.push(panel("Extra", {}, objectTable(event.extra)));
  }
  if (tables.length > 0) parts.push(h("div", { class: "tiles" }, tables));
  if (event.modules.length > 0) {
    parts.push(h(
      "details",
      { class: "panel raw" },
      h("summary", null, `Modules (${event.modules.length})`),
      pairTable(event.modules),
    ));
  }
  parts.push(h(
    "details",
    { class: "panel raw" },
    h("summary", null, "The event as JSON"),
    h("pre", { tabindex: 0 }, JSON.stringify(event.raw, null, 2)),
  ));
  return parts;
}

/**
 * Returns the title of a context.
 *
 * @param {string} name
 */
function titleOf(name) {
  return /^(?:os|gpu)$/.test(name)
    ? name.toUpperCase()
    : name.charAt(0).toUpperCase() + name.slice(1);
}

/**
 * Draws tags as links to the other events with the same tag.
 *
 * @param {readonly (readonly [string, string])[]} tags
 */
export function tagChips(tags) {
  return h(
    "ul",
    { class: "chips" },
    tags.map(([key, value]) =>
      h(
        "li",
        null,
        h(
          "a",
          { class: "chip", href: href(["search"], { tag: `${key}:${value}` }) },
          h("span", null, key),
          value,
        ),
      )
    ),
  );
}

/** Draws the breadcrumbs of an event. @param {readonly model.Breadcrumb[]} breadcrumbs */
function crumbs(breadcrumbs) {
  const timed = breadcrumbs.some(({ at }) => at !== null);
  return h(
    "ol",
    { class: timed ? "crumbs" : "crumbs untimed" },
    breadcrumbs.map((crumb) => {
      const data = Object.entries(crumb.data);
      return h(
        "li",
        { class: `crumb ${crumb.level}` },
        h(
          "span",
          { class: "crumb-time", title: crumb.at === null ? undefined : exact(crumb.at) },
          crumb.at === null ? "" : clockTime(crumb.at),
        ),
        h("span", { class: "crumb-kind" }, crumb.category ?? crumb.type ?? "default"),
        h(
          "div",
          { class: "crumb-body" },
          crumb.message && h("span", null, crumb.message),
          data.length > 0 && h(
            "code",
            null,
            data.map(([key, value]) =>
              `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`
            ).join("   "),
          ),
        ),
        h("span", { class: "crumb-level" }, crumb.level !== "info" && levelBadge(crumb.level)),
      );
    }),
  );
}
