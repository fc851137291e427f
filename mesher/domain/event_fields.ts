/**
 * The context of an event: the fields that our own events and Sentry's share. Nothing is rejected;
 * invalid values are dropped or truncated.
 *
 * @module
 */
import type { DebugImage, JsonObject, MesherEvent } from "./event.ts";
import { idOf } from "./id.ts";
import { MODULES_MAX } from "./limits.ts";
import { breadcrumbsFrom, fingerprintFrom, present, sdkFrom, tagsFrom, userFrom } from "./parts.ts";
import { freeObject, listOf, objectOf, type Raw, textOf } from "./trim.ts";

/** All fields of an event except id, time, level, message and exceptions. */
export type EventContext = Omit<
  MesherEvent,
  "id" | "timestamp" | "level" | "message" | "template" | "params" | "exceptions"
>;

/** Returns the context in an event's JSON. */
export function eventContextFrom(raw: Raw): EventContext {
  return {
    breadcrumbs: breadcrumbsFrom(raw["breadcrumbs"]),
    tags: tagsFrom(raw["tags"]),
    user: userFrom(raw["user"]),
    environment: textOf(raw["environment"]),
    release: textOf(raw["release"]),
    platform: textOf(raw["platform"]),
    serverName: textOf(raw["server_name"] ?? raw["serverName"]),
    transaction: textOf(raw["transaction"]),
    logger: textOf(raw["logger"]),
    sdk: sdkFrom(raw["sdk"]),
    fingerprint: fingerprintFrom(raw["fingerprint"]),
    extra: freeObject(raw["extra"]),
    contexts: contextsFrom(raw),
    request: requestFrom(raw["request"]),
    ...present({
      dist: textOf(raw["dist"]),
      modules: modulesFrom(raw["modules"]),
      images: imagesFrom(raw["debug_meta"]),
    }),
  };
}

/** Returns the contexts. Fields of the user that `EventUser` lacks are in the context `user`. */
function contextsFrom(raw: Raw): JsonObject {
  const contexts = freeObject(raw["contexts"]);
  const { id: _1, email: _2, username: _3, ip_address: _4, ip: _5, name: _6, ...rest } =
    objectOf(raw["user"]) ?? {};
  const known = Object.entries(rest).filter(([, value]) => value !== null && value !== "");
  if (known.length === 0 || Object.hasOwn(contexts, "user")) return contexts;
  return { ...contexts, user: freeObject(Object.fromEntries(known)) };
}

function modulesFrom(value: unknown): Record<string, string> | null {
  const entries = Object.entries(objectOf(value) ?? {}).slice(0, MODULES_MAX)
    .map(([name, version]) => [textOf(name), textOf(version) ?? ""] as const)
    .filter((pair): pair is [string, string] => pair[0] !== null);
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

/** Returns the JavaScript files for which the client has sent a debug id. */
function imagesFrom(value: unknown): DebugImage[] | null {
  const images = listOf(objectOf(value)?.["images"]).map(objectOf)
    .map((image) => ({ debugId: idOf(image?.["debug_id"]), file: textOf(image?.["code_file"]) }))
    .filter((image): image is DebugImage => image.debugId !== null && image.file !== null)
    .slice(0, MODULES_MAX);
  return images.length === 0 ? null : images;
}

const SECRET_HEADER = /^(?:authorization|cookie|set-cookie|proxy-authorization|x-api-key)$/i;
const REMOVED = "[removed]";

/** Returns a request without cookies and credentials, which must not be stored. */
function requestFrom(value: unknown): JsonObject | null {
  const request = objectOf(value);
  if (request === null) return null;
  const { cookies: _, headers, ...rest } = request;
  return freeObject(headers === undefined ? rest : { ...rest, headers: withoutSecrets(headers) });
}

/** Returns headers without cookies and credentials, by name. Some SDKs send headers as pairs. */
function withoutSecrets(headers: unknown): unknown {
  const clean = (name: unknown, text: unknown): unknown =>
    typeof name === "string" && SECRET_HEADER.test(name.trim()) ? REMOVED : text;
  if (Array.isArray(headers)) {
    return headers.map((pair) =>
      Array.isArray(pair) ? [pair[0], ...pair.slice(1).map((text) => clean(pair[0], text))] : pair
    );
  }
  const raw = objectOf(headers);
  if (raw === null) return headers;
  return Object.fromEntries(Object.entries(raw).map(([name, text]) => [name, clean(name, text)]));
}
