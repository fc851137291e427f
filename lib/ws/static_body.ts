/**
 * Reads a response's body without a stream if it is a string or bytes. Deterministic.
 *
 * `response.body` creates a stream of such a body. On Deno, the stream and its reader cost twice as
 * much as the rest of a response; Deno's own server reads the string from internal fields of the
 * response. These fields are found by their content in a response created for this purpose; if they
 * are not found (on Bun, or in a later Deno), each body is read as a stream.
 *
 * @module
 */

/** The internal fields of a response that are used here. */
interface Fields {
  readonly body?: { readonly streamOrStatic?: Holder | undefined } | undefined;
}

/** The key of the property with a response's internal fields, or `undefined` if it is not found. */
const FIELDS: symbol | undefined = findFields();

type Holder = { readonly body?: unknown; consumed?: unknown };

/**
 * Returns the body of a response if it is a string or bytes, and marks it as read; otherwise
 * returns `undefined`. Call it after the response's headers were read.
 */
export function takeStaticBody(response: Response): string | Uint8Array | undefined {
  const holder = holderOf(response);
  if (holder === undefined) return undefined;
  holder.consumed = true;
  return holder.body as string | Uint8Array;
}

/** Returns whether a response's body has been read, or is being read. */
export function isRead(response: Response): boolean {
  return holderOf(response) === undefined && (response.bodyUsed || response.body?.locked === true);
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
