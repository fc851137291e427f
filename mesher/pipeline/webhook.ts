/**
 * One attempt to call a webhook. The receiver's name is looked up once, all its addresses are
 * checked (`domain/address.ts`), and only the checked addresses are connected to, so that a name
 * that changes between the lookup and the connection cannot bypass the check. Redirects are not
 * followed; only the status of the response is read.
 *
 * The text of a failure never contains the URL, which may be a secret.
 *
 * @module
 */
import { lookup as lookUp } from "node:dns/promises";
import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { addressFrom, type Allowed, bareHost, isInside } from "../domain/address.ts";

/** Time limit for a receiver, including the lookup, in milliseconds. */
export const WEBHOOK_MS_MAX = 5_000;

/** The result of an attempt to deliver. */
export type Attempt =
  | { readonly kind: "delivered" }
  /** The attempt has failed. `again` is whether another attempt may succeed. */
  | { readonly kind: "failed"; readonly why: string; readonly again: boolean };

/** Options of an attempt. */
export interface AttemptOptions {
  readonly allowed: Allowed;
  /** Aborts the attempt. */
  readonly signal: AbortSignal;
  /** Time limit in milliseconds. Default: `WEBHOOK_MS_MAX`. */
  readonly timeoutMs?: number | undefined;
  /** Returns all addresses of a name. Default: the lookup of the system. */
  readonly lookup?: ((name: string) => Promise<readonly string[]>) | undefined;
}

/** Posts JSON to a webhook. Never rejects. */
export async function attemptWebhook(
  url: string,
  json: string,
  options: AttemptOptions,
): Promise<Attempt> {
  const { timeoutMs = WEBHOOK_MS_MAX, signal } = options;
  const over = new AbortController();
  const end = (): void => over.abort();
  const timer = setTimeout(end, timeoutMs);
  signal.addEventListener("abort", end);
  const ended = new Promise<Attempt>((resolve) => {
    over.signal.addEventListener("abort", () => resolve(failed("no answer in time", true)));
  });
  try {
    return await Promise.race([attempt(new URL(url), json, options, over.signal), ended]);
  } catch (error) {
    return failed(codeOf(error), true);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    // Cancels a request that is still in progress. The result of a pending lookup is ignored.
    over.abort();
  }
}

async function attempt(
  url: URL,
  json: string,
  { allowed, lookup = systemLookup }: AttemptOptions,
  over: AbortSignal,
): Promise<Attempt> {
  const name = bareHost(url.hostname);
  const addresses = addressFrom(name) === null ? await lookup(name) : [name];
  if (over.aborted) return failed("no answer in time", true);
  if (!allowed.names.has(name) && addresses.some((address) => isInside(address, allowed))) {
    const why = "the receiver is inside this network: MESHER_WEBHOOK_ALLOW may name it";
    return failed(why, false);
  }
  if (addresses.length === 0) return failed("the receiver's name has no address", true);
  const { statusCode = 0 } = await post(url, json, addresses, over);
  if (statusCode >= 200 && statusCode < 300) return { kind: "delivered" };
  if (statusCode >= 300 && statusCode < 400) return failed("redirects are not followed", false);
  const again = statusCode >= 500 || statusCode === 408 || statusCode === 429;
  return failed(`HTTP ${statusCode}`, again);
}

type LookedUp = (
  error: Error | null,
  address: string | { address: string; family: number }[],
  family?: number,
) => void;

/** Posts the request. Resolves with the head of the response, whose body is not read. */
function post(
  url: URL,
  json: string,
  addresses: readonly string[],
  over: AbortSignal,
): Promise<IncomingMessage> {
  const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  const body = new TextEncoder().encode(json);
  const begin = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const asking: ClientRequest = begin(url, {
      method: "POST",
      agent: false,
      headers: {
        "content-type": "application/json",
        "content-length": body.length,
        "user-agent": "Mesher",
        connection: "close",
      },
      lookup: (_name: string, options: { all?: boolean }, done: LookedUp): void => {
        if (options.all) done(null, found);
        else done(null, found[0]!.address, found[0]!.family);
      },
    } as never, (answer: IncomingMessage) => {
      resolve(answer);
      answer.on("error", () => {});
      answer.destroy();
    });
    asking.on("error", reject);
    over.addEventListener("abort", () => asking.destroy());
    asking.end(body);
  });
}

async function systemLookup(name: string): Promise<readonly string[]> {
  const found = await lookUp(name, { all: true });
  return found.map(({ address }) => address);
}

/** Returns a code such as ECONNREFUSED, or the kind of an error. Never returns its message. */
function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  const word = typeof code === "string" ? code : typeof name === "string" ? name : "error";
  return /^\w{1,40}$/.test(word) ? word : "error";
}

function failed(why: string, again: boolean): Attempt {
  return { kind: "failed", why, again };
}
