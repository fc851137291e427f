/**
 * Checks the origin of WebSocket requests. A browser sends a page's origin and its user's cookies
 * with every request to open a WebSocket, from any page: without a check, any page could open a
 * WebSocket that is authenticated as the page's visitor. Deterministic.
 *
 * @module
 */
import { headerOf, type Refusal, type RequestHead } from "./handshake.ts";
import { authorityOf } from "./http_request.ts";

/**
 * The origins whose pages may connect: a set of normalised origins, `"*"` for all, or `undefined`
 * for those with the host of the request.
 */
export type Origins = ReadonlySet<string> | "*" | undefined;

/** Normalises an origin for comparison; returns `undefined` if it is invalid. */
export function normalOrigin(origin: string): string | undefined {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+$/i.test(origin)) return undefined;
  if (!URL.canParse(origin)) return undefined;
  const url = new URL(origin);
  // For unknown schemes, such as a browser extension's, `URL` returns the origin "null".
  return url.origin === "null" ? origin.toLowerCase() : url.origin;
}

/**
 * Returns the rejection of a request from a page that may not connect, otherwise `undefined`.
 * Clients without an Origin header are not browsers, and are accepted.
 */
export function checkOrigin(head: RequestHead, origins: Origins): Refusal | undefined {
  const host = head.target.startsWith("/") ? headerOf(head, "host") : authorityOf(head.target);
  return checkOriginOf(headerOf(head, "origin"), host, origins);
}

/**
 * Checks the origin of a request like {@linkcode checkOrigin}, for the values of its headers Origin
 * and Host.
 */
export function checkOriginOf(
  origin: string | undefined,
  host: string | undefined,
  origins: Origins,
): Refusal | undefined {
  if (origin === undefined || origins === "*") return undefined;
  const normal = normalOrigin(origin);
  if (normal !== undefined) {
    if (origins === undefined ? isSameHost(host, normal) : origins.has(normal)) return undefined;
  }
  return { status: 403, words: "pages of this origin may not connect" };
}

function isSameHost(host: string | undefined, origin: string): boolean {
  const url = new URL(origin);
  // An origin with another scheme, such as `capacitor://localhost` of an application, is not a page
  // of this server.
  if (url.protocol !== "http:" && url.protocol !== "https:") return false;
  // Compared with the page's scheme, because either side may omit the scheme's default port.
  const ours = `${url.protocol}//${host}`;
  return url.host !== "" && URL.canParse(ours) && new URL(ours).host === url.host;
}
