/**
 * Checks: when a node is stopped in order, its supervision trees end the last started first, the children of
 * each last first, and every service has written down what it held.
 */
import { throwBroken } from "./checker.ts";

/** What a service holds that is not written yet. */
interface Held {
  lines: number;
  /** Why it was ended, as `terminate` was told; undefined while it runs. */
  reason: string | undefined;
}

/** Judges the shutdown of one incarnation of a node. Children are numbered in the order of their start. */
export class ShutdownChecker {
  readonly #held = new Map<string, Held>();
  /** The children that have ended, in order. */
  readonly #ended: string[] = [];

  /** A child has started, for the first time or again. */
  started(child: string): void {
    this.#held.set(child, { lines: 0, reason: undefined });
  }

  /** A child holds one line more. */
  added(child: string): void {
    this.#held.get(child)!.lines++;
  }

  /** A child has written what it held, for it ends. */
  wrote(child: string, lines: number, reason: string): void {
    const held = this.#held.get(child)!;
    held.lines -= lines;
    held.reason = reason;
    this.#ended.push(child);
  }

  /** The node is told to stop now: what ended before is not judged. */
  stopping(): void {
    this.#ended.length = 0;
  }

  /** The node has stopped: throws what was broken. `children` is the order of their start. */
  check(children: readonly string[]): void {
    const broken: string[] = [];
    const expected = children.toReversed();
    if (this.#ended.join() !== expected.join()) {
      broken.push(`they ended as ${this.#ended.join(" ")}, not as ${expected.join(" ")}`);
    }
    for (const [child, { lines, reason }] of this.#held) {
      if (lines > 0) broken.push(`${child} has lost ${lines} lines`);
      if (reason !== "shutdown") broken.push(`${child} was told ${reason}, not shutdown`);
    }
    throwBroken(broken);
  }
}
