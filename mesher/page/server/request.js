/**
 * Sends requests to the server: the only file that calls `fetch`. The session is a cookie that
 * scripts cannot read.
 *
 * @module
 */
import { BASE } from "../base.js";
import { objectOf } from "./values.js";

/**
 * The parameters of a query. Null and undefined values are omitted.
 *
 * @typedef {Record<string, string | null | undefined>} Query
 */
/** A signal that aborts a request; optional. @typedef {AbortSignal | undefined} Signal */

/**
 * Time in milliseconds after which a request without a response is aborted. It may then be retried.
 */
const TIMEOUT_MS = 15_000;

/**
 * The error of a request that the server rejected, or that could not reach the server (`status` 0).
 */
export class ApiError extends Error {
  /**
   * Creates the error for a response with this status.
   *
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.name = "ApiError";
    /** The status of the response; 0 if there was none. @type {number} */
    this.status = status;
  }
}

/** Emits `signedout` when the server no longer accepts the session. */
export const session = new EventTarget();

/** Sends a GET request. @param {string} path @param {Query} [query] @param {Signal} [signal] */
export function get(path, query = {}, signal = undefined) {
  const kept = Object.entries(query).filter(([, value]) => value);
  const search = new URLSearchParams(/** @type {[string, string][]} */ (kept)).toString();
  return request("GET", `${path}${search && `?${search}`}`, undefined, signal);
}

/** Sends a POST request. @param {string} path @param {unknown} [body] */
export function post(path, body = {}) {
  return request("POST", path, body, undefined);
}

/**
 * Encodes a text as one part of a path.
 *
 * @param {string} text
 */
export function part(text) {
  return encodeURIComponent(text);
}

/**
 * Sends a request, and returns the JSON of the response. Rejects with an `ApiError`.
 *
 * @param {string} method
 * @param {string} path
 * @param {unknown} body
 * @param {Signal} signal
 * @returns {Promise<unknown>}
 */
async function request(method, path, body, signal) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  /** The response of the server. @type {Response} */
  let response;
  /** The JSON of the response. @type {unknown} */
  let answer;
  try {
    response = await fetch(`${BASE}api/v1${path}`, {
      method,
      credentials: "same-origin",
      headers: body === undefined ? {} : { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    const words = await response.text();
    answer = words === "" ? null : parse(words);
  } catch (error) {
    if (signal?.aborted) throw error;
    const why = timeout.aborted ? "The server takes too long." : "The server does not answer.";
    throw new ApiError(0, why);
  }
  if (response.ok) return answer;
  if (response.status === 401 && path !== "/login") {
    session.dispatchEvent(new Event("signedout"));
  }
  const said = objectOf(answer).error;
  throw new ApiError(
    response.status,
    typeof said === "string" && said !== ""
      ? sentence(said)
      : `The server said ${response.status}.`,
  );
}

/** Parses JSON. Returns null if it is invalid. @param {string} text @returns {unknown} */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Returns the text as a sentence: with a capital and a full stop.
 *
 * @param {string} text
 * @returns {string}
 */
function sentence(text) {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
