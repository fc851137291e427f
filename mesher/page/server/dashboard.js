/**
 * Requests for the summary of a project: counts of the last day, and of the days before.
 *
 * @module
 */
import { countFrom, issueFrom } from "./issues.js";
import { get, part } from "./request.js";
import { listOf, number, shape, text, timeOf } from "./values.js";

/** @import * as model from "../model.js" */
/** @import { Query, Signal } from "./request.js" */

/** Converts JSON to the number of events in a period. @type {(value: unknown) => model.Bucket} */
const bucketFrom = shape({ at: (raw) => timeOf(raw.bucket) ?? 0, count: number("count") });

/**
 * Converts JSON to a value and its number of events.
 *
 * @type {(value: unknown) => model.ValueCount}
 */
const levelFrom = shape({ value: text("level"), count: number("count") });

/** Converts JSON to the counts of a project. @type {(value: unknown) => model.Health} */
const healthFrom = shape({
  unresolved: number("unresolved_count"),
  events: number("events_24h"),
  fresh: number("new_today"),
});

/**
 * Requests one part of a project's summary.
 *
 * @param {string} projectId
 * @param {string} what
 * @param {Query} query
 * @param {Signal} signal
 */
function ask(projectId, what, query, signal) {
  return get(`/projects/${part(projectId)}/dashboard/${what}`, query, signal);
}

/**
 * Returns the number of a project's events in each hour of the last day, or in each of the last
 * fourteen days.
 *
 * @param {string} projectId
 * @param {"hour" | "day"} bucket
 * @param {Signal} [signal]
 */
export async function volume(projectId, bucket, signal) {
  const query = { bucket, days: bucket === "day" ? "14" : "1" };
  return listOf(await ask(projectId, "volume", query, signal)).map(bucketFrom);
}

/**
 * Returns the keys of the tags of a project's events.
 *
 * @param {string} projectId
 * @param {Signal} [signal]
 */
export async function tagKeys(projectId, signal) {
  return listOf(await ask(projectId, "tag-keys", {}, signal)).map(countFrom);
}

/**
 * Returns the most common values of a tag.
 *
 * @param {string} projectId
 * @param {string} key
 * @param {Signal} [signal]
 */
export async function tagValues(projectId, key, signal) {
  return listOf(await ask(projectId, "tags", { key }, signal)).map(countFrom);
}

/** Returns the number of events per level. @param {string} projectId @param {Signal} [signal] */
export async function levels(projectId, signal) {
  return listOf(await ask(projectId, "levels", {}, signal)).map(levelFrom);
}

/**
 * Returns the seven unresolved issues with the most events.
 *
 * @param {string} projectId
 * @param {Signal} [signal]
 */
export async function topIssues(projectId, signal) {
  return listOf(await ask(projectId, "top-issues", { limit: "7" }, signal)).map(issueFrom);
}

/** Returns the counts of a project. @param {string} projectId @param {Signal} [signal] */
export async function health(projectId, signal) {
  return healthFrom(await ask(projectId, "health", {}, signal));
}
