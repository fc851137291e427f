/**
 * The messages between the parent and its workers. Deterministic.
 *
 *     parent ──▶ worker   one line on standard input: WorkerTerms
 *     worker ──▶ parent   lines on standard output that contain the token, among the program's own:
 *                         @firn <token> {"kind":"beat"}
 *
 * @module
 */

/** The argument by which a program recognises that it runs as a worker. */
export const WORKER_ARGUMENT = "--firn-core";

/**
 * Configuration of a worker. Sent on standard input, because arguments and environment variables
 * would expose the cookie to other processes.
 */
export interface WorkerTerms {
  /** A random text that identifies the worker's reports among its other output. */
  readonly token: string;
  /** The name of the worker's node, without host and port. */
  readonly name: string;
  readonly hostname: string;
  readonly cookie: string | readonly string[];
  readonly seeds: readonly string[];
  readonly port: number;
  /** Number of the worker, from 1. */
  readonly core: number;
  readonly count: number;
  readonly beatMs: number;
  readonly leaveMs: number;
}

/** A report of a worker. */
export type WorkerReport =
  /** A heartbeat: shows that the event loop of the worker is not blocked. */
  | { readonly kind: "beat" }
  /** The setup of the worker has finished. */
  | { readonly kind: "ready"; readonly node: string };

/** Encodes a report as a line of output. */
export function encodeReport(token: string, report: WorkerReport): string {
  return `@firn ${token} ${JSON.stringify(report)}\n`;
}

/**
 * Splits a line of a worker's output into text that its program printed, and a report after it: the
 * program may print text without a line end before the report.
 */
export function parseLine(
  token: string,
  line: string,
): { readonly text: string; readonly report: WorkerReport | undefined } {
  const mark = `@firn ${token} `;
  const at = line.indexOf(mark);
  if (at < 0) return { text: line, report: undefined };
  return { text: line.slice(0, at), report: JSON.parse(line.slice(at + mark.length)) };
}

/** Time in milliseconds for which a worker must run until its restart delay is reset. */
const STABLE_MS = 10_000;
const DELAY_MS_MIN = 100;
const DELAY_MS_MAX = 10_000;

/** Computes the delay before a crashed worker is restarted. It doubles with each crash. */
export class Backoff {
  #ms = 0;

  /** Returns the delay, in milliseconds, after the worker ran for `ranMs`. */
  next(ranMs: number): number {
    if (ranMs >= STABLE_MS) this.#ms = 0;
    this.#ms = this.#ms === 0 ? DELAY_MS_MIN : Math.min(DELAY_MS_MAX, this.#ms * 2);
    return this.#ms;
  }
}
