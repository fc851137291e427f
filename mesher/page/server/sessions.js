/**
 * Requests about the user's sessions, and the user's tokens for programs.
 *
 * @module
 */
import { get, part, post } from "./request.js";
import { flag, listOf, objectOf, oneOf, shape, text, textOf, time } from "./values.js";

/** @import * as model from "../model.js" */
/** @import { Signal } from "./request.js" */

/** Converts JSON to a session or token. @type {(value: unknown) => model.Session} */
const sessionFrom = shape({
  id: text("id"),
  kind: oneOf("kind", /** @type {const} */ (["session", "token"])),
  label: text("label"),
  scopes: (raw) => Array.isArray(raw.scopes) ? raw.scopes.map(textOf) : null,
  isThis: flag("current"),
  createdAt: time("created_at"),
  expiresAt: time("expires_at"),
});

/**
 * Returns the sessions and tokens of the user.
 *
 * @param {Signal} [signal]
 * @returns {Promise<model.Session[]>}
 */
export async function sessions(signal) {
  return listOf(await get("/sessions", {}, signal)).map(sessionFrom);
}

/** Ends a session, or revokes a token. @param {string} sessionId */
export async function endSession(sessionId) {
  await post(`/sessions/${part(sessionId)}/end`);
}

/**
 * Creates a token and returns it. It cannot be read again later.
 *
 * @param {string} label
 * @param {string | undefined} scopes Separated by spaces; undefined: all permissions of the user.
 * @returns {Promise<string>}
 */
export async function createToken(label, scopes) {
  return textOf(objectOf(await post("/tokens", { label, scopes })).token);
}
