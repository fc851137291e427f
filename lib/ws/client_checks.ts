/**
 * Checks the options that only clients have.
 *
 * @module
 */
import type { ClientOptions } from "./client.ts";
import { isToken } from "./handshake.ts";
import { SHARED_OPTIONS } from "./limits.ts";
import { OptionError } from "./options.ts";

/** The names of all options of a client. */
export const CLIENT_OPTIONS: Readonly<Record<keyof ClientOptions, true>> = {
  ...SHARED_OPTIONS,
  data: true,
  protocols: true,
  headers: true,
  signal: true,
  sendBufferLimit: true,
  stateChange: true,
  reconnect: true,
};

/** Headers that the handshake sets. The option `headers` must not contain them. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "sec-websocket-extensions",
  "sec-websocket-key",
  "sec-websocket-protocol",
  "sec-websocket-version",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Throws {@linkcode OptionError} if a header is set by the handshake, or if both the headers and
 * the URL contain credentials.
 */
export function checkHeaders(headers: Headers, hasCredentials: boolean): void {
  for (const [name] of headers) {
    if (RESERVED_HEADERS.has(name)) {
      const instead = name === "sec-websocket-protocol" ? ": use the option protocols" : "";
      throw new OptionError(
        `option headers has ${name}, which the handshake sets itself${instead}`,
      );
    }
  }
  if (!hasCredentials || !headers.has("authorization")) return;
  throw new OptionError("option headers has authorization, and the URL has credentials: use one");
}

/** Throws {@linkcode OptionError} if a subprotocol is not a token or occurs twice. */
export function checkProtocols(protocols: readonly string[]): void {
  for (const each of protocols) {
    if (
      typeof each === "string" && isToken(each) &&
      protocols.indexOf(each) === protocols.lastIndexOf(each)
    ) {
      continue;
    }
    throw new OptionError(
      `option protocols has ${JSON.stringify(each)}: use different words without spaces or commas`,
    );
  }
}

/** Returns the parsed URL. Throws {@linkcode OptionError} unless it is a WebSocket URL. */
export function checkUrl(url: string | URL): URL {
  const text = String(url);
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed !== undefined && /^wss?:$/.test(parsed.protocol) && parsed.hash === "") return parsed;
  throw new OptionError(
    `cannot connect to ${JSON.stringify(text)}: use ws://host:port/path or wss`,
  );
}
