/**
 * The events of a simulation in order, and a hash of these events. Two runs with equal hashes had
 * the same events.
 *
 * @module
 */

/** One event in a trace. */
export interface TraceLine {
  /** Time of the event, in virtual milliseconds. */
  readonly at: number;
  /** The node, or empty for an event without a node. */
  readonly node: string;
  /** Description of the event. */
  readonly what: string;
}

/** Number of most recent lines that are kept, unless the whole trace was requested. */
const KEPT_MAX = 1_000;

/** Records the events of a simulation, and their hash. */
export class Trace {
  /** Number of lines that were recorded so far. */
  length = 0;
  #high = 0x811c9dc5;
  #low = 0x9e3779b9;
  readonly #isWhole: boolean;
  #lines: TraceLine[] = [];

  /** With `isWhole`, all lines are kept instead of the most recent ones. */
  constructor(isWhole: boolean) {
    this.#isWhole = isWhole;
  }

  /** All lines if the whole trace was requested, otherwise the most recent 1,000. */
  get lines(): readonly TraceLine[] {
    return this.#lines.slice(this.#isWhole ? 0 : -KEPT_MAX);
  }

  /** A hash of all events so far, as 16 hexadecimal digits. */
  get hash(): string {
    return hex(this.#high) + hex(this.#low);
  }

  /** Adds an event to the trace and to the hash. */
  add(at: number, node: string, what: string): void {
    // Rounded to thousandths of a millisecond, which is precise enough to distinguish events.
    this.#mix(`${Math.round(at * 1000)} ${node} ${what}`);
    this.comment(at, node, what);
  }

  /** Adds a line that does not change the hash. */
  comment(at: number, node: string, what: string): void {
    this.length++;
    this.#lines.push({ at, node, what });
    if (!this.#isWhole && this.#lines.length >= 2 * KEPT_MAX) {
      this.#lines = this.#lines.slice(-KEPT_MAX);
    }
  }

  #mix(text: string): void {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      this.#high = Math.imul(this.#high ^ code, 0x01000193);
      this.#low = Math.imul((this.#low << 5 | this.#low >>> 27) ^ code, 0x85ebca6b);
    }
  }
}

/** Returns a short hash of bytes, for a trace. */
export function hashOf(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hex(hash);
}

/**
 * Returns a trace as readable text: one column per node.
 *
 * @example
 * ```ts
 * import { simulate, traceText } from "@firn/firn/sim";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const { trace } = await simulate({ seed: 1 }, async (sim) => {
 *   await sim.start("a");
 *   sim.note("the end");
 * });
 * assertStringIncludes(traceText(trace), "the end");
 * ```
 */
export function traceText(lines: readonly TraceLine[]): string {
  const nodes = [...new Set(lines.map(({ node }) => node))].filter((node) => node !== "").sort();
  const width = 34;
  const head = `${"ms".padStart(12)}  ${nodes.map((node) => node.padEnd(width)).join("")}`;
  const rows = lines.map(({ at, node, what }) => {
    const column = nodes.indexOf(node);
    const left = `${at.toFixed(3).padStart(12)}  `;
    return column < 0 ? `${left}── ${what}` : left + " ".repeat(column * width) + what;
  });
  return [head, ...rows].join("\n");
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
