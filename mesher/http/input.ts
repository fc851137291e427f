/**
 * Reads requests: bodies up to a limit, and values that are checked against their declared fields.
 * Invalid values are rejected with a sentence.
 *
 * @module
 */
import { concat } from "../domain/bytes.ts";
import { jsonFrom } from "../domain/json_text.ts";
import { type Search, searchFrom } from "../domain/search.ts";
import { HttpError } from "./http_error.ts";
import { inflated, isEncoding } from "./inflate.ts";
import type { Field, Fields, Values } from "./route.ts";

/** Maximum number of bytes of the JSON body of a route other than ingest. */
export const BODY_BYTES_MAX = 65_536;
/** Default maximum number of characters of a text. */
const TEXT_CHARS_MAX = 1_024;

/** Default maximum number of entries of a list. */
const LIST_MAX = 100;

/** Maximum number of encodings that may be applied to a body one after another. */
const ENCODINGS_MAX = 3;

/**
 * Returns the bytes of a body, inflated if they are compressed. Throws `status` if there are more
 * than `max`, compressed or not; 415 for an unknown encoding, and 400 for invalid data.
 */
export async function readBytes(
  request: Request,
  max: number,
  status: 400 | 413 = 413,
): Promise<Uint8Array> {
  // A body whose known length is within the limit is read as a whole, which is faster.
  const { headers } = request;
  if (!headers.has("content-encoding") && Number(headers.get("content-length") ?? NaN) <= max) {
    return new Uint8Array(await request.arrayBuffer());
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of readChunks(request, max, status)) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0]! : concat(chunks);
}

/** Reads a body piece by piece, as it arrives. */
export async function* readChunks(
  request: Request,
  max: number,
  status: 400 | 413 = 413,
): AsyncGenerator<Uint8Array> {
  const encodings = encodingsOf(request);
  if (Number(request.headers.get("content-length")) > max) {
    throw new HttpError(status, "payload too large");
  }
  let chunks = limited(bodyOf(request), max, status);
  for (const encoding of encodings.toReversed()) {
    chunks = limited(inflated(chunks, encoding), max, status);
  }
  yield* chunks;
}

/**
 * Returns the encodings of a body in the order in which they were applied (RFC 9110, 8.4). Throws
 * 415.
 */
function encodingsOf({ headers }: Request): readonly string[] {
  const encodings = (headers.get("content-encoding") ?? "").toLowerCase().split(",")
    .map((one) => one.trim()).filter((one) => one !== "" && one !== "identity");
  if (!encodings.every(isEncoding)) {
    throw new HttpError(415, "content-encoding must be gzip, deflate, br, zstd or identity");
  }
  if (encodings.length > ENCODINGS_MAX) {
    throw new HttpError(415, `a body may have at most ${ENCODINGS_MAX} encodings`);
  }
  return encodings;
}

async function* bodyOf({ body }: Request): AsyncGenerator<Uint8Array> {
  if (body !== null) { for await (const chunk of body) yield chunk; }
}

async function* limited(
  chunks: AsyncIterable<Uint8Array>,
  max: number,
  status: 400 | 413,
): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > max) throw new HttpError(status, "payload too large");
    yield chunk;
  }
}

/** Returns the JSON value of a body. Throws 400 if it is invalid. */
export async function readJson(
  request: Request,
  max: number,
  status: 400 | 413 = 413,
): Promise<unknown> {
  return parsed(await readBytes(request, max, status));
}

/** Returns the values of a JSON body with these fields. An empty body has no values. */
export async function readBody(request: Request, fields: Fields): Promise<Values> {
  const bytes = await readBytes(request, BODY_BYTES_MAX);
  if (bytes.length === 0) return checkValues({}, fields);
  // A form of another site cannot send this content type without a preflight request.
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers.get("content-type") ?? "")) {
    throw new HttpError(415, "content-type must be application/json");
  }
  const value = parsed(bytes);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HttpError(400, "the body must be a JSON object");
  }
  return checkValues(value as Values, fields);
}

/** Parses JSON. Throws 400 if it is invalid. */
export function parsed(bytes: Uint8Array): unknown {
  if (bytes.length === 0) throw new HttpError(400, "invalid json: the body is empty");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new HttpError(400, "invalid json: the body is not UTF-8");
  }
  try {
    return jsonFrom(text);
  } catch {
    throw new HttpError(400, "invalid json");
  }
}

/** Returns the values of a query, converted to the types of the fields. */
export function readQuery(search: URLSearchParams, fields: Fields): Values {
  const values: Record<string, unknown> = {};
  for (const [name, { type }] of Object.entries(fields)) {
    const text = search.get(name);
    if (text === null || text === "") continue;
    if (type === "integer" || type === "number") {
      values[name] = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    } else if (type === "boolean") {
      values[name] = text === "true" ? true : text === "false" ? false : text;
    } else values[name] = text;
  }
  return checkValues(values, fields);
}

/** Returns the values of these fields, and ignores all others. Throws 400 if a value is invalid. */
function checkValues(raw: Values, fields: Fields): Values {
  const values: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = Object.hasOwn(raw, name) ? raw[name] : undefined;
    if (value === undefined || (value === null && !field.nullable)) {
      if (field.required) throw new HttpError(400, `${name} is required`);
      continue;
    }
    if (value !== null) check(name, value, field);
    values[name] = value;
  }
  return values;
}

function check(name: string, value: unknown, field: Field): void {
  const { type, min, max } = field;
  switch (type) {
    case "any":
      return;
    case "string": {
      if (typeof value !== "string") throw new HttpError(400, `${name} must be a string`);
      if (field.enum !== undefined && !field.enum.includes(value)) {
        throw new HttpError(400, `${name} must be one of ${field.enum.join(", ")}`);
      }
      if (field.required && value.trim() === "") throw new HttpError(400, `${name} is required`);
      const most = max ?? TEXT_CHARS_MAX;
      if (value.length > most) {
        throw new HttpError(400, `${name} may have at most ${most} characters`);
      }
      return;
    }
    case "integer":
    case "number": {
      const isRight = type === "integer" ? Number.isSafeInteger(value) : Number.isFinite(value);
      const kind = type === "integer" ? "a whole number" : "a number";
      if (!isRight) throw new HttpError(400, `${name} must be ${kind}`);
      if (
        (min !== undefined && Number(value) < min) || (max !== undefined && Number(value) > max)
      ) {
        throw new HttpError(400, `${name} must be ${kind} from ${min} to ${max}`);
      }
      return;
    }
    case "boolean":
      if (typeof value !== "boolean") throw new HttpError(400, `${name} must be true or false`);
      return;
    case "strings": {
      const isList = Array.isArray(value) && value.every((one) => typeof one === "string");
      if (!isList) throw new HttpError(400, `${name} must be a list of strings`);
      const most = max ?? LIST_MAX;
      if (value.length < (min ?? 0) || value.length > most) {
        throw new HttpError(400, `${name} must have ${min ?? 0} to ${most} entries`);
      }
      return;
    }
    case "object":
      if (typeof value !== "object" || Array.isArray(value)) {
        throw new HttpError(400, `${name} must be an object`);
      }
      return;
  }
}

/** Parses a search. Throws 400 with the position of the fault. */
export function readSearch(text: string | undefined): Search {
  const result = searchFrom(text ?? "");
  if (result.ok) return result.search;
  const { reason, position } = result.fault;
  throw new HttpError(400, `the search is wrong at position ${position}: ${reason}`);
}
