/**
 * Reads a response's body without a stream, where it is a string or bytes. Quiet.
 *
 * `response.body` makes a stream of such a body. On Deno the stream and its reader cost twice as much as
 * everything else that an answer needs, and Deno's own server does without: it reads the string from the
 * response's fields. They are found by what they hold, in a response made for that; where they are not
 * found (on Bun, whose classes have none; in a later Deno, perhaps) each body is read as a stream.
 *
 * @module
 */

/** The fields of a response, as far as they are used here. */
interface Fields {
  readonly body?: { readonly streamOrStatic?: Holder | undefined } | undefined;
}

/** The property that holds a response's fields; `undefined` if there is none. */
const FIELDS: symbol | undefined = findFields();

type Holder = { readonly body?: unknown; consumed?: unknown };

/**
 * Takes the body of a response, which is read then, if it is a string or bytes; otherwise returns
 * `undefined`. To be called after the response's headers were looked at.
 */
export function takeStaticBody(response: Response): string | Uint8Array | undefined {
  const holder = holderOf(response);
  if (holder === undefined) return undefined;
  holder.consumed = true;
  return holder.body as string | Uint8Array;
}

/** Returns true if a response's body has been read, or is being read. */
export function isRead(response: Response): boolean {
  return holderOf(response) === undefined && (response.bodyUsed || response.body?.locked === true);
}

/** What holds a string or bytes that have not been read. */
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
