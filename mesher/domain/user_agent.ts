/**
 * Determines the browser, system and device from a User-Agent, with `bowser`.
 *
 * @module
 */
import type { JsonObject } from "./event.ts";
import { NAME_CHARS_MAX } from "./limits.ts";
import { objectOf } from "./trim.ts";

/**
 * Returns the User-Agent of a request, whose headers are an object or a list of pairs. Returns null
 * if there is none.
 */
export function userAgentOf(request: JsonObject | null): string | null {
  const headers: unknown = request?.["headers"];
  const pairs = Array.isArray(headers) ? headers : Object.entries(objectOf(headers) ?? {});
  for (const pair of pairs) {
    const [name, value] = Array.isArray(pair) ? pair : [];
    const text = Array.isArray(value) ? value[0] : value;
    if (typeof name === "string" && name.toLowerCase() === "user-agent") {
      return typeof text === "string" && text !== "" ? text.slice(0, NAME_CHARS_MAX) : null;
    }
  }
  return null;
}

/**
 * Returns contexts with Sentry's names: `browser`, `client_os`, `device`. Omits the
 * contexts that are unknown.
 */
export async function userAgentContexts(agent: string): Promise<JsonObject> {
  const { default: bowser } = await import("bowser@2.15.1");
  const { browser, os, platform } = bowser.parse(agent);
  const named = (part: { name?: string; version?: string }): JsonObject | null =>
    part.name === undefined || part.name === ""
      ? null
      : { name: part.name, ...(part.version === undefined ? {} : { version: part.version }) };
  const device = platform.model ?? platform.vendor;
  const contexts = {
    browser: named(browser),
    client_os: named(os),
    device: device === undefined
      ? null
      : { name: device, ...(platform.type ? { type: platform.type } : {}) },
  };
  return Object.fromEntries(Object.entries(contexts).filter(([, value]) => value !== null));
}
