/**
 * Requests about alerts and alert rules.
 *
 * @module
 */
import { get, part, post } from "./request.js";
import {
  flag,
  listOf,
  maybeNumber,
  maybeText,
  number,
  objectOf,
  pageFrom,
  shape,
  text,
  texts,
  time,
} from "./values.js";

/** @import * as model from "../model.js" */
/** @import { Query, Signal } from "./request.js" */

const conditionFrom = shape({
  kind: text("condition_type"),
  threshold: maybeNumber("threshold"),
  windowMinutes: maybeNumber("window_minutes"),
});

const restFrom = shape({
  id: text("id"),
  name: text("name"),
  channel: (raw) => text("type")(objectOf(raw.action)),
  webhook: (raw) => maybeText("url")(objectOf(raw.action)),
  to: (raw) => texts("to")(objectOf(raw.action)),
  enabled: flag("enabled"),
  cooldownMinutes: number("cooldown_minutes"),
  lastFiredAt: time("last_fired_at"),
});

/** Converts JSON to a rule. @param {unknown} value @returns {model.AlertRule} */
function ruleFrom(value) {
  return { ...restFrom(value), ...conditionFrom(objectOf(value).condition) };
}

/** Converts JSON to an alert. @type {(value: unknown) => model.Alert} */
const alertFrom = shape({
  id: text("id"),
  ruleId: text("rule_id"),
  ruleName: (raw) => text("rule_name")(raw) || "Rule",
  issueId: maybeText("issue_id"),
  status: text("status"),
  message: text("message"),
  suppressed: number("suppressed"),
  at: time("triggered_at"),
});

/** Returns the number of changed rows from JSON. @type {(value: unknown) => number} */
const affectedFrom = (value) => number("affected")(objectOf(value));

/** Number of the latest alerts that are loaded. */
export const ALERTS_MAX = 50;

/** Returns the alert rules of a project. @param {string} projectId @param {Signal} [signal] */
export async function rules(projectId, signal) {
  return listOf(await get(`/projects/${part(projectId)}/alert-rules`, {}, signal)).map(ruleFrom);
}

/** Creates an alert rule. @param {string} projectId @param {unknown} rule */
export async function createRule(projectId, rule) {
  await post(`/projects/${part(projectId)}/alert-rules`, rule);
}

/** Enables or disables an alert rule. @param {string} ruleId @param {boolean} enabled */
export async function toggleRule(ruleId, enabled) {
  await post(`/alert-rules/${part(ruleId)}/toggle`, { enabled });
}

/**
 * Sends a test notification.
 *
 * @param {string} ruleId
 * @returns {Promise<string | null>} The reason why it was not delivered, or null.
 */
export async function testRule(ruleId) {
  return maybeText("error")(objectOf(await post(`/alert-rules/${part(ruleId)}/test`)));
}

/** Deletes an alert rule. @param {string} ruleId */
export async function deleteRule(ruleId) {
  await post(`/alert-rules/${part(ruleId)}/delete`);
}

/**
 * Returns a page of a project's alerts.
 *
 * @param {string} projectId
 * @param {Query} query
 * @param {Signal} [signal]
 */
export async function alerts(projectId, query, signal) {
  return pageFrom(await get(`/projects/${part(projectId)}/alerts`, query, signal), alertFrom);
}

/**
 * Resolves all alerts in a state, or in any state, that fired until the given time.
 *
 * @param {string} projectId
 * @param {{ status: string, until: number }} which
 * @returns {Promise<number>} The number of resolved alerts.
 */
export async function resolveAlerts(projectId, { status, until }) {
  return affectedFrom(
    await post(`/projects/${part(projectId)}/alerts/resolve`, {
      ...(status === "" ? {} : { status }),
      until: new Date(until).toISOString(),
    }),
  );
}

/**
 * Acknowledges or resolves an alert.
 *
 * @param {string} alertId
 * @param {"acknowledge" | "resolve"} action
 */
export async function actOnAlert(alertId, action) {
  await post(`/alerts/${part(alertId)}/${action}`);
}
