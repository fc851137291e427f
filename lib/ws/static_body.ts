/**
 * Reads a response's body without a stream if it is a string or bytes. Deterministic.
 *
 * `response.body` creates a stream of such a body. The stream and its reader cost twice as much as
 * the rest of a response on Deno, and 2 µs on Bun. No standard property shows whether a body is a
 * stream, so this file uses what the runtimes expose:
 *
 * - Deno's own server reads the string from internal fields of the response. These fields are found
 *   by their content in a response created for this purpose.
 * - Bun estimates the memory of a response. The estimate includes the length of a string or bytes,
 *   but not the contents of a stream, even of one that is the body of another response. `bytes()`
 *   returns a string or bytes at once, but would collect a stream as a whole.
 *
 * Both are checked when this file is loaded. If neither is found, as may happen in a later version,
 * each body is read as a stream.
 *
 * @module
 */
import { memoryEstimate } from "../host/memory_estimate.ts";

/** The internal fields of a response that are used here. */
interface Fields {
  readonly body?: { readonly streamOrStatic?: Holder | undefined } | undefined;
}

type Holder = { readonly body?: unknown; consumed?: unknown };

/** The key of the property with a response's internal fields, or `undefined` if it is not found. */
const FIELDS: symbol | undefined = findFields();

const estimate: ((value: object) => number) | undefined = memoryEstimate();

/**
 * The estimated memory of a response without a body in memory, in bytes; `Infinity` if estimates do
 * not include the body.
 */
const BODILESS_BYTES: number = findBodilessBytes();

/**
 * Returns the body of a response if it is a string or bytes that have not been read, and marks it
 * as read; otherwise returns `undefined`. Call it after the response's headers were read.
 */
export function takeStaticBody(
  response: Response,
): string | Uint8Array | Promise<Uint8Array> | undefined {
  if (isInMemory(response)) return response.bodyUsed ? undefined : response.bytes();
  const holder = holderOf(response);
  if (holder === undefined) return undefined;
  holder.consumed = true;
  return holder.body as string | Uint8Array;
}

/** Returns whether a response's body has been read, or is being read. */
export function isRead(response: Response): boolean {
  if (isInMemory(response)) return response.bodyUsed;
  return holderOf(response) === undefined && (response.bodyUsed || response.body?.locked === true);
}

/** Returns whether the estimated memory of a response shows that its body is a string or bytes. */
function isInMemory(response: Response): boolean {
  // The estimate includes the URL and the status text, too. Responses of `fetch` have a URL; their
  // body is a stream, of which the estimate includes the announced length.
  return BODILESS_BYTES < Infinity && estimate!(response) > BODILESS_BYTES &&
    response.url === "" && response.statusText === "";
}

/** Returns the internal field with the body, if it is an unread string or bytes. */
function holderOf(response: Response): Holder | undefined {
  if (FIELDS === undefined) return undefined;
  const fields = (response as unknown as Record<symbol, Fields | undefined>)[FIELDS];
  const holder = fields?.body?.streamOrStatic;
  if (holder === undefined || holder.consumed !== false) return undefined;
  return typeof holder.body === "string" || holder.body instanceof Uint8Array ? holder : undefined;
}

function findFields(): symbol | undefined {
  const text = "a body";
  const probe = new Response(text);
  void probe.headers;
  for (const symbol of Object.getOwnPropertySymbols(probe)) {
    const fields = (probe as unknown as Record<symbol, Fields | null | undefined>)[symbol];
    if (fields?.body?.streamOrStatic?.body === text) return symbol;
  }
  return undefined;
}

function findBodilessBytes(): number {
  if (estimate === undefined) return Infinity;
  const bytesOf = (body: BodyInit | null): number => estimate(new Response(body));
  const bodiless = bytesOf(null);
  const stream = (): ReadableStream => new ReadableStream({ pull: (to) => to.enqueue("a body") });
  return bytesOf("a body") === bodiless + 6 && bytesOf(new Uint8Array(7)) === bodiless + 7 &&
      bytesOf(stream()) === bodiless && bytesOf(new Response(stream()).body) === bodiless &&
      bytesOf(new Response("a body").body) === bodiless
    ? bodiless
    : Infinity;
}
