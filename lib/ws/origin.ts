/**
 * Whose pages may open a WebSocket. A browser sends a page's origin, and its user's cookies, with every
 * request to open one, whatever page asks: without a check any page may act as its visitor. Quiet.
 *
 * @module
 */
import { headerOf, type Refusal, type RequestHead } from "./handshake.ts";
import { authorityOf } from "./http_request.ts";

/** The origins that may connect: a set, all, or `undefined` for those with the host of the request. */
export type Origins = ReadonlySet<string> | "*" | undefined;

/** An origin as it is compared, or `undefined` for a text that is none. */
export function normalOrigin(origin: string): string | undefined {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+$/i.test(origin)) return undefined;
  if (!URL.canParse(origin)) return undefined;
  const url = new URL(origin);
  // Schemes that URLs do not know, such as a browser extension's, have no origin of their own there.
  return url.origin === "null" ? origin.toLowerCase() : url.origin;
}

/** The refusal of a page that may not connect. Clients that send no Origin are not browsers, and may. */
export function checkOrigin(head: RequestHead, origins: Origins): Refusal | undefined {
  const origin = headerOf(head, "origin");
  if (origin === undefined || origins === "*") return undefined;
  const normal = normalOrigin(origin);
  if (normal !== undefined) {
    if (origins === undefined ? isSameHost(head, normal) : origins.has(normal)) return undefined;
  }
  return { status: 403, words: "pages of this origin may not connect" };
}

function isSameHost(head: RequestHead, origin: string): boolean {
  const host = head.target.startsWith("/") ? headerOf(head, "host") : authorityOf(head.target);
  const url = new URL(origin);
  // With the page's scheme, because a port that the scheme implies is written in neither or in one.
  const ours = `${url.protocol}//${host}`;
  return url.host !== "" && URL.canParse(ours) && new URL(ours).host === url.host;
}
