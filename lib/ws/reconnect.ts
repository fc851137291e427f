/**
 * Decides when a client reconnects, and when it gives up. Deterministic: time and random numbers
 * are arguments.
 *
 *     failures      1          2          3          4
 *     delay      ½..1 × min   × 2        × 4        × 8   … up to max, or what Retry-After asks for
 *
 * @module
 */
import { checkNames } from "../base/spelling.ts";
import { isWireCode } from "./close.ts";
import { OptionError } from "./options.ts";

/** Maximum delay accepted from Retry-After, in milliseconds. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/** Options of reconnecting. */
export interface ReconnectOptions {
  /**
   * Maximum delay before the first attempt to reconnect, in milliseconds; each delay is shortened
   * at random by up to half. Default 250.
   */
  readonly minDelay?: number | undefined;
  /** Maximum delay before any attempt, in milliseconds. Default 10000. */
  readonly maxDelay?: number | undefined;
  /**
   * The client gives up after this many failed attempts in a row; a connection that opens resets
   * the count. Default: never.
   */
  readonly attempts?: number | undefined;
  /**
   * Statuses of the server's answer after which the client gives up. Default 401, 403, 404, 410.
   */
  readonly stopStatuses?: readonly number[] | undefined;
  /** Close codes of the server after which the client gives up. Default: none. */
  readonly stopCodes?: readonly number[] | undefined;
}

const RECONNECT: Readonly<Record<keyof ReconnectOptions, true>> = {
  minDelay: true,
  maxDelay: true,
  attempts: true,
  stopStatuses: true,
  stopCodes: true,
};

/**
 * The error of a client that has given up reconnecting. `cause` is the last failure.
 *
 * @example
 * ```ts
 * import { connect, Node } from "@firn/firn";
 * import { ReconnectError } from "@firn/firn/ws";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const server = await node.serve({});
 * const reconnect = { minDelay: 1, attempts: 2 };
 * const client = await connect(server.url, { reconnect, log: () => {} });
 * await server.stop();
 * assertEquals(await client.ended instanceof ReconnectError, true);
 * ```
 */
export class ReconnectError extends Error {
  /** The name of the class. */
  override readonly name = "ReconnectError";
  /** Stable code: `"reconnect"`. */
  readonly code = "reconnect";
}

/** Computes the delays between attempts to connect. */
export class Delay {
  readonly #min: number;
  readonly #max: number;
  readonly #attempts: number;
  readonly #stopStatuses: readonly number[];
  readonly #stopCodes: readonly number[];
  readonly #chance: () => number;
  /**
   * Number of delays since a connection last stayed open for longer than `maxDelay`. Each delay is
   * twice as long as the previous one.
   */
  #steps = 0;
  /** Number of consecutive failed attempts to connect. */
  #failures = 0;

  /** `chance` returns a number in [0, 1). Throws an `OptionError` if an option is invalid. */
  constructor(options: ReconnectOptions, chance: () => number) {
    checkNames(options, RECONNECT, (words) => new OptionError(`reconnect: ${words}`));
    const { minDelay = 250, maxDelay = 10_000, attempts = Infinity } = options;
    for (const [name, ms] of Object.entries({ minDelay, maxDelay, attempts })) {
      if (!(ms > 0)) throw new OptionError(`option reconnect.${name} is ${ms}: use more than 0`);
    }
    const { stopStatuses = [401, 403, 404, 410], stopCodes = [] } = options;
    checkNumbers("stopStatuses", stopStatuses, (each) => each >= 300 && each <= 599);
    checkNumbers("stopCodes", stopCodes, (each) => isWireCode(each) || each === 1005);
    this.#min = minDelay;
    this.#max = maxDelay;
    this.#attempts = attempts;
    this.#stopStatuses = stopStatuses;
    this.#stopCodes = stopCodes;
    this.#chance = chance;
  }

  /** Number of consecutive failed attempts to connect. */
  get failures(): number {
    return this.#failures;
  }

  /** Called when a connection has opened: resets the number of failures. */
  opened(): void {
    this.#failures = 0;
  }

  /** Returns whether the client gives up after a response with this status. */
  stopsAt(status: number): boolean {
    return this.#stopStatuses.includes(status);
  }

  /** Returns whether the client gives up after the server has closed with this close code. */
  stopsWith(code: number): boolean {
    return this.#stopCodes.includes(code);
  }

  /**
   * Returns the delay in milliseconds after a connection that lasted `lastedMs` (0 for a failed
   * attempt), or `undefined` to give up. `retryAfterMs` is the delay that the server requested.
   */
  next(lastedMs: number, retryAfterMs: number = 0): number | undefined {
    if (lastedMs > this.#max) this.#steps = 0;
    if (lastedMs === 0) this.#failures++;
    if (this.#failures >= this.#attempts) return undefined;
    const ms = Math.min(this.#max, this.#min * 2 ** Math.min(this.#steps++, 30));
    const drawn = ms * (0.5 + this.#chance() / 2);
    return Math.max(drawn, Math.min(retryAfterMs, RETRY_AFTER_MS_MAX));
  }
}

/**
 * Parses the header Retry-After. Returns milliseconds from `now`; 0 if the header is malformed or
 * missing.
 */
export function retryAfterMs(header: string | undefined, now: number): number {
  if (header === undefined) return 0;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}

function checkNumbers(
  name: string,
  list: readonly number[],
  isRight: (each: number) => boolean,
): void {
  const wrong = list.find((each) => !(Number.isInteger(each) && isRight(each)));
  if (wrong === undefined) return;
  throw new OptionError(`option reconnect.${name} has ${wrong}: use numbers that servers send`);
}
