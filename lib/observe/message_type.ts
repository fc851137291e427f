/**
 * The type of a message, without its contents.
 *
 * @module
 */
import { Call } from "../actor/call.ts";

/** Maximum length of a message's type, in characters. */
const TYPE_CHARS_MAX = 80;

/**
 * Returns the type of a message: `call add` or `cast increment` for services; the value of its
 * property `type` or `kind`; otherwise its class, or `string`, `number`, `list` and so on.
 */
export function messageType(message: unknown): string {
  try {
    return typeText(message).slice(0, TYPE_CHARS_MAX);
  } catch {
    // A getter or a proxy of the program threw.
    return "object";
  }
}

function typeText(message: unknown): string {
  if (message instanceof Call) {
    const { request } = message;
    return isObject(request) && typeof request["$call"] === "string"
      ? `call ${request["$call"]}`
      : `call ${typeText(request)}`;
  }
  if (message === null) return "null";
  if (!isObject(message)) return typeof message;
  if (Array.isArray(message)) return "list";
  const { $cast, type, kind } = message;
  if (typeof $cast === "string") return `cast ${$cast}`;
  if (typeof type === "string") return type;
  if (typeof kind === "string") return kind;
  const name = message.constructor?.name;
  return typeof name === "string" && name !== "" ? name : "object";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
