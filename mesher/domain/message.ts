/**
 * Parses log messages: a template, its parameters, and the resulting text. Deterministic.
 *
 * @module
 */
import type { Json, JsonObject } from "./event.ts";
import { MESSAGE_CHARS_MAX, PARAMS_MAX } from "./limits.ts";
import { present } from "./parts.ts";
import { cut, freeObject, objectOf, type Raw, textOf } from "./trim.ts";

/** The message of an event: its text, and its template and parameters if they are known. */
export interface Message {
  readonly message: string;
  readonly template?: string;
  readonly params?: readonly Json[] | JsonObject;
}

/**
 * Parses the message of a Sentry event: a text, or `{message, params, formatted}`, under `logentry`
 * or `message`. Without `formatted`, the parameters are inserted into the template here.
 */
export function messageFrom(raw: Raw): Message {
  const entry = objectOf(raw["logentry"]) ?? objectOf(raw["message"]);
  const plain = textOf(raw["message"], MESSAGE_CHARS_MAX) ??
    textOf(raw["logentry"], MESSAGE_CHARS_MAX);
  if (entry === null) return { message: plain ?? "" };
  const template = textOf(entry["message"], MESSAGE_CHARS_MAX);
  const params = paramsFrom(entry["params"]);
  const formatted = textOf(entry["formatted"], MESSAGE_CHARS_MAX) ??
    (template === null ? plain : cut(format(template, params), MESSAGE_CHARS_MAX));
  return { message: formatted ?? "", ...present({ template, params }) };
}

function paramsFrom(value: unknown): readonly Json[] | JsonObject | null {
  if (Array.isArray(value)) {
    if (value.length === 0) return null;
    return freeObject({ params: value.slice(0, PARAMS_MAX) })["params"] as readonly Json[];
  }
  const named = freeObject(value);
  return Object.keys(named).length === 0 ? null : named;
}

/**
 * Matches the placeholders of Python, C and .NET: `%s`, `%d`, `%(name)s`, `{}`, `{0}`, `{name}`.
 */
const PLACE =
  /%(?:\(([^)]{1,64})\))?[-+ #0]*\d*(?:\.\d+)?[sdifrxXeEgGcouj]|%%|\{([\w.]{0,64})(?:[:!][^{}]{0,32})?\}/g;

/** Inserts parameters into a template. A placeholder without a parameter stays unchanged. */
export function format(template: string, params: readonly Json[] | JsonObject | null): string {
  if (params === null) return template;
  const isList = Array.isArray(params);
  const list: readonly Json[] = isList ? params : [];
  const named: JsonObject = isList ? {} : params as JsonObject;
  let next = 0;
  return template.replace(PLACE, (place, percentName, braceName) => {
    if (place === "%%") return "%";
    const name: string | undefined = percentName ?? (braceName || undefined);
    const value = name === undefined || isList && !/^\d+$/.test(name)
      ? list[next++]
      : isList
      ? list[Number(name)]
      : Object.hasOwn(named, name)
      ? named[name]
      : undefined;
    if (value === undefined) return place;
    return typeof value === "string" ? value : JSON.stringify(value);
  });
}
