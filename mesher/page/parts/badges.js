/**
 * Badges: small labels for levels, states and users.
 *
 * @module
 */
import { h } from "../dom.js";

/** @import * as model from "../model.js" */

/** Draws the level of an event. @param {model.Level} level */
export function levelBadge(level) {
  return h("span", { class: `level ${level}` }, level);
}

/** Draws the state of an issue or of an alert. @param {string} status */
export function statusBadge(status) {
  return h("span", { class: `status ${status}` }, STATUS_WORDS[status] ?? status);
}

/** The texts of the states of issues and alerts. @type {Record<string, string>} */
export const STATUS_WORDS = {
  unresolved: "Unresolved",
  resolved: "Resolved",
  archived: "Ignored",
  discarded: "Discarded",
  active: "Active",
  acknowledged: "Acknowledged",
};

/** The levels that a user can choose from. @type {[string, string][]} */
export const LEVEL_OPTIONS = [
  ["", "Any level"],
  ["fatal", "Fatal"],
  ["error", "Error"],
  ["warning", "Warning"],
  ["info", "Info"],
  ["debug", "Debug"],
];

/**
 * Draws a user's initials in a circle.
 *
 * @param {string} name
 */
export function avatar(name) {
  const words = name.split(/[\s.@_-]+/).filter(Boolean);
  const initials = words.slice(0, 2).map((word) => word.charAt(0).toUpperCase()).join("");
  return h("span", { class: "avatar", title: name, "aria-hidden": "true" }, initials || "?");
}
