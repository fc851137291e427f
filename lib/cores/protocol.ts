/**
 * What the parent and its workers send each other. Quiet.
 *
 *     parent ──▶ worker   one line on standard input: WorkerTerms
 *     worker ──▶ parent   lines on standard output that contain the token, among the program's own:
 *                         @firn <token> {"kind":"beat"}
 *
 * @module
 */

/** The argument that a worker is started with. */
export const WORKER_ARGUMENT = "--firn-core";

/** What a worker is to be. It contains the cookie, so it is in no argument and no variable. */
export interface WorkerTerms {
  /** Marks the worker's messages. */
  readonly token: string;
  /** The name of its node, before the address that it gets. */
  readonly name: string;
  readonly hostname: string;
  readonly cookie: string | readonly string[];
  readonly seeds: readonly string[];
  readonly port: number;
  /** From 1. */
  readonly core: number;
  readonly count: number;
  readonly beatMs: number;
  readonly leaveMs: number;
}

/** What a worker reports. */
export type WorkerReport =
  /** Its event loop runs. */
  | { readonly kind: "beat" }
  /** Its setup is done. */
  | { readonly kind: "ready"; readonly node: string };

/** Returns a line of a worker for its parent. */
export function encodeReport(token: string, report: WorkerReport): string {
  return `@firn ${token} ${JSON.stringify(report)}\n`;
}

/**
 * Splits a line of a worker: what its program printed, and the report behind it. The program may have
 * printed something without a line end before the report.
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

/** After this time without a crash the delay begins anew. */
const CALM_MS = 10_000;
const DELAY_MS_MIN = 100;
const DELAY_MS_MAX = 10_000;

/** The delay before a crashed worker is started again: doubled with each crash. */
export class Backoff {
  #ms = 0;

  /** Returns the delay, in milliseconds, after the worker ran for `ranMs`. */
  next(ranMs: number): number {
    if (ranMs >= CALM_MS) this.#ms = 0;
    this.#ms = this.#ms === 0 ? DELAY_MS_MIN : Math.min(DELAY_MS_MAX, this.#ms * 2);
    return this.#ms;
  }
}
