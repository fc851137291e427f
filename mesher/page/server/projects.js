/**
 * Requests about projects: their settings, storage and keys.
 *
 * @module
 */
import { BASE } from "../base.js";
import { get, part, post } from "./request.js";
import { listOf, maybeText, number, objectOf, shape, text, textOf, time } from "./values.js";

/** @import * as model from "../model.js" */
/** @import { Signal } from "./request.js" */

/** Converts JSON to a project. @type {(value: unknown) => model.Project} */
const projectFrom = shape({
  id: text("id"),
  orgId: text("org_id"),
  name: text("name"),
  slug: text("slug"),
  platform: maybeText("platform"),
  retentionDays: number("retention_days"),
  sampleRate: number("sample_rate", 1),
  scrub: (raw) => {
    const { enabled = true, fields, safe } = objectOf(raw.scrub);
    return { enabled: enabled !== false, fields: namesOf(fields), safe: namesOf(safe) };
  },
});

/** Converts a list of names. Any other value becomes an empty list. @param {unknown} value */
function namesOf(value) {
  return Array.isArray(value) ? value.map(textOf) : [];
}

/** Converts JSON to the storage used by a project. @type {(value: unknown) => model.Usage} */
const usageFrom = shape({
  events: number("event_count"),
  bytes: number("estimated_bytes"),
  oldestAt: time("oldest_at"),
});

/** Converts JSON to a key. @type {(value: unknown) => model.ApiKey} */
const keyFrom = shape({
  id: text("id"),
  label: text("label"),
  prefix: text("prefix"),
  secret: maybeText("key_value"),
  createdAt: time("created_at"),
  revokedAt: time("revoked_at"),
});

/**
 * Returns the projects of an organisation.
 *
 * @param {string} orgId
 * @returns {Promise<model.Project[]>}
 */
export async function projects(orgId) {
  return listOf(await get(`/orgs/${part(orgId)}/projects`)).map(projectFrom);
}

/**
 * Creates a project with a first key, so that programs can send events immediately.
 *
 * @param {string} orgId
 * @param {string} name
 * @returns {Promise<model.Project>}
 */
export async function createProject(orgId, name) {
  const made = projectFrom(await post(`/orgs/${part(orgId)}/projects`, { name, platform: null }));
  await createKey(made.id, "default");
  return made;
}

/** Returns a project with its settings. @param {string} projectId @param {Signal} [signal] */
export async function settings(projectId, signal) {
  return projectFrom(await get(`/projects/${part(projectId)}/settings`, {}, signal));
}

/**
 * Changes settings of a project. Settings that are absent stay unchanged.
 *
 * @param {string} projectId
 * @param {{
 *   name?: string, platform?: string | null, retention_days?: number, sample_rate?: number,
 *   scrub?: model.ScrubRules,
 * }} changes
 */
export async function changeSettings(projectId, changes) {
  await post(`/projects/${part(projectId)}/settings`, changes);
}

/** Deletes a project with all its data. @param {string} projectId */
export async function deleteProject(projectId) {
  await post(`/projects/${part(projectId)}/delete`);
}

/** Returns the storage that a project uses. @param {string} projectId @param {Signal} [signal] */
export async function usage(projectId, signal) {
  return usageFrom(await get(`/projects/${part(projectId)}/storage`, {}, signal));
}

/** Returns the keys of a project. @param {string} projectId @param {Signal} [signal] */
export async function keys(projectId, signal) {
  return listOf(await get(`/projects/${part(projectId)}/api-keys`, {}, signal)).map(keyFrom);
}

/**
 * Creates a key and returns it.
 *
 * @param {string} projectId
 * @param {string} label
 * @returns {Promise<string>}
 */
export async function createKey(projectId, label) {
  return textOf(objectOf(await post(`/projects/${part(projectId)}/api-keys`, { label })).key_value);
}

/** Revokes a key. @param {string} keyId */
export async function revokeKey(keyId) {
  await post(`/api-keys/${part(keyId)}/revoke`);
}

/**
 * Returns the URL of a project's live stream.
 *
 * @param {string} projectId
 * @returns {string}
 */
export function streamUrl(projectId) {
  const url = new URL(`stream/projects/${part(projectId)}`, BASE);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
