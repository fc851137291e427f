/**
 * Requests about issues, and actions on them.
 *
 * @module
 */
import { LEVELS, summaryFrom } from "./events.js";
import { get, part, post } from "./request.js";
import {
  list,
  listOf,
  maybeNumber,
  maybeText,
  number,
  objectOf,
  oneOf,
  pageFrom,
  shape,
  text,
  time,
} from "./values.js";

/** @import * as model from "../model.js" */
/** @import { Query, Signal } from "./request.js" */
/**
 * An action of a user on an issue.
 *
 * @typedef {"resolve" | "archive" | "unresolve" | "discard" | "delete"} Action
 */

const STATUSES = /** @type {const} */ (["unresolved", "resolved", "archived", "discarded"]);

/** Converts JSON to an issue. @type {(value: unknown) => model.Issue} */
export const issueFrom = shape({
  id: text("id"),
  projectId: text("project_id"),
  title: (raw) => text("title")(raw) || "Untitled",
  culprit: text("culprit"),
  level: oneOf("level", LEVELS),
  status: oneOf("status", STATUSES),
  count: number("event_count"),
  recent: maybeNumber("recent"),
  firstSeen: time("first_seen"),
  lastSeen: time("last_seen"),
  assignedTo: maybeText("assigned_to"),
  users: number("user_count"),
  firstRelease: maybeText("first_release"),
  lastRelease: maybeText("last_release"),
  resolvedAfter: maybeText("resolved_after"),
});

/**
 * Converts JSON to a value and its number of events.
 *
 * @type {(value: unknown) => model.ValueCount}
 */
export const countFrom = shape({ value: text("value"), count: number("count") });

/** Converts JSON to the values of a tag. @type {(value: unknown) => model.Tag} */
const tagFrom = shape({ key: text("key"), values: list("values", countFrom) });

/**
 * Returns a page of a project's issues.
 *
 * @param {string} projectId
 * @param {Query} query
 * @param {Signal} [signal]
 */
export async function issues(projectId, query, signal) {
  return pageFrom(await get(`/projects/${part(projectId)}/issues`, query, signal), issueFrom);
}

/**
 * Returns the event counts of issues, by issue id. Each count is for one of the last 24 hours, or
 * for one of the last 30 days.
 *
 * @param {string} projectId
 * @param {readonly string[]} ids
 * @param {"24h" | "30d"} period
 * @param {Signal} [signal]
 * @returns {Promise<Map<string, model.Bucket[]>>}
 */
export async function volumes(projectId, ids, period, signal) {
  const query = { ids: ids.join(","), period };
  const raw = objectOf(await get(`/projects/${part(projectId)}/issues/volumes`, query, signal));
  const since = Date.parse(String(raw.since));
  const bucketMs = Number(raw.bucket_ms);
  return new Map(ids.map((id) => {
    const counts = objectOf(raw.volumes)[id];
    const length = period === "24h" ? 24 : 30;
    const buckets = Array.from({ length }, (_, i) => ({
      at: since + i * bucketMs,
      count: Array.isArray(counts) ? Number(counts[i] ?? 0) : 0,
    }));
    return /** @type {const} */ ([id, buckets]);
  }));
}

/** Converts JSON to a release. @type {(value: unknown) => model.Release} */
const releaseFrom = shape({
  id: text("id"),
  version: text("version"),
  createdAt: time("created_at"),
  newIssues: number("new_issues"),
  lastSeen: time("last_seen"),
});

/**
 * Returns a page of a project's releases.
 *
 * @param {string} projectId
 * @param {Query} query
 * @param {Signal} [signal]
 */
export async function releases(projectId, query, signal) {
  return pageFrom(await get(`/projects/${part(projectId)}/releases`, query, signal), releaseFrom);
}

/** Resolves an issue in the next release. @param {string} issueId */
export async function resolveInNextRelease(issueId) {
  await post(`/issues/${part(issueId)}/resolve`, { in_next_release: true });
}

/** Returns an issue. @param {string} issueId @param {Signal} [signal] */
export async function issue(issueId, signal) {
  return issueFrom(await get(`/issues/${part(issueId)}`, {}, signal));
}

/** Returns the tags of an issue's events. @param {string} issueId @param {Signal} [signal] */
export async function issueTags(issueId, signal) {
  return listOf(await get(`/issues/${part(issueId)}/tags`, {}, signal)).map(tagFrom);
}

/** Converts JSON to a fingerprint of an issue. @type {(value: unknown) => model.Fingerprint} */
const fingerprintFrom = shape({
  fingerprint: text("fingerprint"),
  title: (raw) => text("title")(raw) || "Untitled",
  culprit: text("culprit"),
  mergedAt: time("merged_at"),
});

/** Converts JSON to an entry of an issue's activity. @type {(value: unknown) => model.Activity} */
const activityFrom = shape({
  id: text("id"),
  kind: text("kind"),
  userId: maybeText("user_id"),
  data: (raw) => ({ ...objectOf(raw.data) }),
  at: time("created_at"),
});

/** Returns the fingerprints of an issue. @param {string} issueId @param {Signal} [signal] */
export async function fingerprints(issueId, signal) {
  return listOf(await get(`/issues/${part(issueId)}/fingerprints`, {}, signal))
    .map(fingerprintFrom);
}

/**
 * Returns a page of an issue's activity.
 *
 * @param {string} issueId
 * @param {Query} query
 * @param {Signal} [signal]
 */
export async function activity(issueId, query, signal) {
  return pageFrom(await get(`/issues/${part(issueId)}/activity`, query, signal), activityFrom);
}

/** Adds a comment to an issue. @param {string} issueId @param {string} text */
export async function comment(issueId, text) {
  await post(`/issues/${part(issueId)}/comments`, { text });
}

/** Deletes a comment. @param {string} commentId */
export async function deleteComment(commentId) {
  await post(`/comments/${part(commentId)}/delete`);
}

/**
 * Merges issues into another one. Returns the merged issue.
 *
 * @param {string} issueId
 * @param {readonly string[]} others The issues that are merged into it.
 */
export async function merge(issueId, others) {
  return issueFrom(await post(`/issues/${part(issueId)}/merge`, { issue_ids: others }));
}

/**
 * Splits fingerprints off an issue. Returns the new issue.
 *
 * @param {string} issueId
 * @param {readonly string[]} fingerprints The fingerprints that become a new issue.
 */
export async function split(issueId, fingerprints) {
  return issueFrom(await post(`/issues/${part(issueId)}/split`, { fingerprints }));
}

/**
 * Returns a page of an issue's events.
 *
 * @param {string} issueId
 * @param {Query} query
 * @param {Signal} [signal]
 */
export async function issueEvents(issueId, query, signal) {
  return pageFrom(await get(`/issues/${part(issueId)}/events`, query, signal), summaryFrom);
}

/** Performs an action on an issue. @param {string} issueId @param {Action} action */
export async function act(issueId, action) {
  await post(`/issues/${part(issueId)}/${action}`);
}

/**
 * Assigns an issue to a user.
 *
 * @param {string} issueId
 * @param {string} userId Empty: unassigns the issue.
 */
export async function assign(issueId, userId) {
  await post(`/issues/${part(issueId)}/assign`, { user_id: userId });
}
