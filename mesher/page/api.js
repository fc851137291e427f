/**
 * The server: the only file that fetches. Each function is one route; answers come out as `model.js`
 * has them. The session is a cookie that scripts cannot read.
 *
 * @module
 */
import * as rows from "./rows.js";

/** @import * as model from "./model.js" */
/** @typedef {Record<string, string | null | undefined>} Query */

/** An answer takes at most this long; then the request is given up, and may be tried again. */
const TIMEOUT_MS = 15_000;
/** Remembers that somebody has signed in here, so that a first visit asks the server nothing. */
const SIGNED_IN = "mesher.signedin";

/** The server refused, or could not be reached (`status` 0). */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.name = "ApiError";
    /** @type {number} */
    this.status = status;
  }
}

/** Says `signedout` when the server no longer knows who we are. */
export const session = new EventTarget();

/**
 * @param {string} method
 * @param {string} path
 * @param {{ query?: Query, body?: unknown, signal?: AbortSignal | undefined }} [options]
 * @returns {Promise<unknown>}
 */
async function request(method, path, { query = {}, body, signal } = {}) {
  const kept = Object.entries(query).filter(([, value]) => value);
  const search = new URLSearchParams(/** @type {[string, string][]} */ (kept)).toString();
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  /** @type {Response} */
  let response;
  /** @type {unknown} */
  let answer;
  try {
    response = await fetch(`/api/v1${path}${search && `?${search}`}`, {
      method,
      credentials: "same-origin",
      headers: body === undefined ? {} : { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    const text = await response.text();
    answer = text === "" ? null : parse(text);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, timeout.aborted ? "The server takes too long." : "No connection.");
  }
  if (response.ok) return answer;
  if (response.status === 401 && path !== "/login") {
    session.dispatchEvent(new Event("signedout"));
  }
  const said = rows.objectOf(answer).error;
  throw new ApiError(
    response.status,
    typeof said === "string" && said !== ""
      ? sentence(said)
      : `The server said ${response.status}.`,
  );
}

/** @param {string} text @returns {unknown} */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** @param {string} text @returns {string} */
function sentence(text) {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** @typedef {AbortSignal | undefined} Signal */
const id = encodeURIComponent;

// People

/** @param {string} email @param {string} password */
export async function login(email, password) {
  await request("POST", "/login", { body: { email, password } });
  localStorage.setItem(SIGNED_IN, "yes");
}

/** Ends the session. */
export async function logout() {
  await request("POST", "/logout", { body: {} });
  localStorage.removeItem(SIGNED_IN);
}

/** @returns {Promise<{ user: model.User, organisations: model.Organisation[] }>} */
export async function me() {
  if (localStorage.getItem(SIGNED_IN) === null) throw new ApiError(401, "Nobody is signed in.");
  const raw = rows.objectOf(await request("GET", "/me"));
  return {
    user: rows.userFrom(raw.user ?? raw),
    organisations: rows.listOf(raw.organisations).map(rows.organisationFrom),
  };
}

/** @param {string} orgId @returns {Promise<model.Project[]>} */
export async function projects(orgId) {
  return rows.listOf(await request("GET", `/orgs/${id(orgId)}/projects`)).map(rows.projectFrom);
}

/** @param {string} name @returns {Promise<model.Organisation>} */
export async function createOrganisation(name) {
  return rows.organisationFrom(await request("POST", "/orgs", { body: { name } }));
}

/**
 * The project, and its first key if the server made one.
 *
 * @param {string} orgId
 * @param {{ name: string, platform: string | null }} input
 * @returns {Promise<model.Project>}
 */
export async function createProject(orgId, input) {
  return rows.projectFrom(await request("POST", `/orgs/${id(orgId)}/projects`, { body: input }));
}

/** @param {string} orgId @param {Signal} [signal] @returns {Promise<model.Member[]>} */
export async function members(orgId, signal) {
  return rows.listOf(await request("GET", `/orgs/${id(orgId)}/members`, { signal }))
    .map(rows.memberFrom);
}

/**
 * A new person, who is a member at once.
 *
 * @param {string} orgId
 * @param {{ email: string, display_name: string, password: string, role: string }} input
 */
export async function createUser(orgId, input) {
  await request("POST", `/orgs/${id(orgId)}/users`, { body: input });
}

/** @param {string} orgId @param {string} memberId @param {string} role */
export async function setRole(orgId, memberId, role) {
  const path = `/orgs/${id(orgId)}/members/${id(memberId)}/role`;
  await request("POST", path, { body: { role } });
}

/** @param {string} orgId @param {string} memberId */
export async function removeMember(orgId, memberId) {
  await request("POST", `/orgs/${id(orgId)}/members/${id(memberId)}/remove`, { body: {} });
}

/** @param {string} current @param {string} password */
export async function setPassword(current, password) {
  await request("POST", "/password", { body: { current, password } });
}

// A project

/** @param {string} projectId @param {Signal} [signal] */
export async function settings(projectId, signal) {
  return rows.projectFrom(await request("GET", `/projects/${id(projectId)}/settings`, { signal }));
}

/**
 * @param {string} projectId
 * @param {{
 *   name?: string, platform?: string | null, retention_days?: number, sample_rate?: number,
 * }} changes
 */
export async function changeSettings(projectId, changes) {
  await request("POST", `/projects/${id(projectId)}/settings`, { body: changes });
}

/** With all that it has. @param {string} projectId */
export async function deleteProject(projectId) {
  await request("POST", `/projects/${id(projectId)}/delete`, { body: {} });
}

/** @param {string} projectId @param {Signal} [signal] */
export async function usage(projectId, signal) {
  return rows.usageFrom(await request("GET", `/projects/${id(projectId)}/storage`, { signal }));
}

/** @param {string} projectId @param {Signal} [signal] */
export async function keys(projectId, signal) {
  return rows.listOf(await request("GET", `/projects/${id(projectId)}/api-keys`, { signal }))
    .map(rows.keyFrom);
}

/**
 * The key itself: the only time that it can be seen.
 *
 * @param {string} projectId
 * @param {string} label
 * @returns {Promise<string>}
 */
export async function createKey(projectId, label) {
  const answer = await request("POST", `/projects/${id(projectId)}/api-keys`, { body: { label } });
  return String(rows.objectOf(answer).key_value ?? "");
}

/** @param {string} keyId */
export async function revokeKey(keyId) {
  await request("POST", `/api-keys/${id(keyId)}/revoke`, { body: {} });
}

// Dashboard

/**
 * By hours of a day or days of a fortnight.
 *
 * @param {string} projectId
 * @param {"hour" | "day"} bucket
 * @param {Signal} [signal]
 */
export async function volume(projectId, bucket, signal) {
  const path = `/projects/${id(projectId)}/dashboard/volume`;
  const query = { bucket, days: bucket === "day" ? "14" : "1" };
  return rows.listOf(await request("GET", path, { query, signal })).map(rows.bucketFrom);
}

/** The tags that events have. @param {string} projectId @param {Signal} [signal] */
export async function tagKeys(projectId, signal) {
  const path = `/projects/${id(projectId)}/dashboard/tag-keys`;
  return rows.listOf(await request("GET", path, { signal })).map(rows.countFrom("value"));
}

/** @param {string} projectId @param {Signal} [signal] */
export async function levels(projectId, signal) {
  const path = `/projects/${id(projectId)}/dashboard/levels`;
  return rows.listOf(await request("GET", path, { signal })).map(rows.countFrom("level"));
}

/** @param {string} projectId @param {Signal} [signal] */
export async function topIssues(projectId, signal) {
  const path = `/projects/${id(projectId)}/dashboard/top-issues`;
  return rows.listOf(await request("GET", path, { query: { limit: "7" }, signal }))
    .map(rows.issueFrom);
}

/** @param {string} projectId @param {string} key @param {Signal} [signal] */
export async function tagValues(projectId, key, signal) {
  const path = `/projects/${id(projectId)}/dashboard/tags`;
  return rows.listOf(await request("GET", path, { query: { key }, signal }))
    .map(rows.countFrom("value"));
}

/** @param {string} projectId @param {Signal} [signal] */
export async function health(projectId, signal) {
  const path = `/projects/${id(projectId)}/dashboard/health`;
  return rows.healthFrom(await request("GET", path, { signal }));
}

// Issues and events

/** @param {string} projectId @param {Query} query @param {Signal} [signal] */
export async function issues(projectId, query, signal) {
  const path = `/projects/${id(projectId)}/issues`;
  return rows.pageFrom(await request("GET", path, { query, signal }), rows.issueFrom);
}

/** @param {string} issueId @param {Signal} [signal] */
export async function issue(issueId, signal) {
  const raw = rows.objectOf(await request("GET", `/issues/${id(issueId)}`, { signal }));
  return rows.issueFrom(raw.issue ?? raw);
}

/** @param {string} issueId @param {Signal} [signal] */
export async function issueTags(issueId, signal) {
  return rows.listOf(await request("GET", `/issues/${id(issueId)}/tags`, { signal }))
    .map(rows.tagFrom);
}

/** @param {string} issueId @param {Query} query @param {Signal} [signal] */
export async function issueEvents(issueId, query, signal) {
  const path = `/issues/${id(issueId)}/events`;
  return rows.pageFrom(await request("GET", path, { query, signal }), rows.summaryFrom);
}

/**
 * @param {string} issueId
 * @param {"resolve" | "archive" | "unresolve" | "discard" | "delete"} action
 */
export async function act(issueId, action) {
  await request("POST", `/issues/${id(issueId)}/${action}`, { body: {} });
}

/** @param {string} issueId @param {string} userId Empty: to nobody. */
export async function assign(issueId, userId) {
  await request("POST", `/issues/${id(issueId)}/assign`, { body: { user_id: userId } });
}

/** @param {string} eventId @param {Signal} [signal] */
export async function event(eventId, signal) {
  return rows.detailFrom(await request("GET", `/events/${id(eventId)}`, { signal }));
}

/**
 * Events that hold all words of `q`, of a level; newest first, in pages.
 *
 * @param {string} projectId
 * @param {Query} query
 * @param {Signal} [signal]
 */
export async function events(projectId, query, signal) {
  const path = `/projects/${id(projectId)}/events`;
  return rows.pageFrom(await request("GET", path, { query, signal }), rows.summaryFrom);
}

/**
 * The latest events of 24 hours that have a tag.
 *
 * @param {string} projectId
 * @param {{ key: string, value: string }} tag
 * @param {Signal} [signal]
 */
export async function eventsByTag(projectId, tag, signal) {
  const path = `/projects/${id(projectId)}/events/tags`;
  const query = { ...tag, limit: "100" };
  return rows.pageFrom(await request("GET", path, { query, signal }), rows.summaryFrom);
}

// Alerts

/** @param {string} projectId @param {Signal} [signal] */
export async function rules(projectId, signal) {
  const path = `/projects/${id(projectId)}/alert-rules`;
  return rows.listOf(await request("GET", path, { signal })).map(rows.ruleFrom);
}

/** @param {string} projectId @param {unknown} rule */
export async function createRule(projectId, rule) {
  await request("POST", `/projects/${id(projectId)}/alert-rules`, { body: rule });
}

/** @param {string} ruleId @param {boolean} enabled */
export async function toggleRule(ruleId, enabled) {
  await request("POST", `/alert-rules/${id(ruleId)}/toggle`, { body: { enabled } });
}

/** @param {string} ruleId */
export async function deleteRule(ruleId) {
  await request("POST", `/alert-rules/${id(ruleId)}/delete`, { body: {} });
}

/** @param {string} projectId @param {Query} query @param {Signal} [signal] */
export async function alerts(projectId, query, signal) {
  const path = `/projects/${id(projectId)}/alerts`;
  return rows.pageFrom(await request("GET", path, { query, signal }), rows.alertFrom);
}

/** @param {string} alertId @param {"acknowledge" | "resolve"} action */
export async function actOnAlert(alertId, action) {
  await request("POST", `/alerts/${id(alertId)}/${action}`, { body: {} });
}

// The cluster

/** @param {Signal} [signal] */
export async function cluster(signal) {
  return rows.clusterFrom(await request("GET", "/cluster", { signal }));
}

/**
 * Where a project's live stream is.
 *
 * @param {string} projectId
 * @returns {string}
 */
export function streamUrl(projectId) {
  const url = new URL(`/stream/projects/${id(projectId)}`, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
