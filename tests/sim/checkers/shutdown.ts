/**
 * Checks that when a node stops gracefully, its supervision trees and the children of each stop in
 * reverse order of their start, and every service has written its data.
 */
import { throwBroken } from "./checker.ts";

/** The data that a service has not written yet. */
interface Held {
  lines: number;
  /** The reason passed to `terminate`, or `undefined` while the service runs. */
  reason: string | undefined;
}

/**
 * Checks the shutdown of one incarnation of a node. Children are numbered in the order of their
 * start.
 */
export class ShutdownChecker {
  readonly #held = new Map<string, Held>();
  /** The children that have exited, in order. */
  readonly #ended: string[] = [];

  /** Records that a child has started or restarted. */
  started(child: string): void {
    this.#held.set(child, { lines: 0, reason: undefined });
  }

  /** Records that a child has another line to write. */
  added(child: string): void {
    this.#held.get(child)!.lines++;
  }

  /** Records that a child has written its data because it terminates. */
  wrote(child: string, lines: number, reason: string): void {
    const held = this.#held.get(child)!;
    held.lines -= lines;
    held.reason = reason;
    this.#ended.push(child);
  }

  /** Records that the node begins to stop. Earlier exits are not checked. */
  stopping(): void {
    this.#ended.length = 0;
  }

  /**
   * Checks the stopped node. `children` is in the order of their start. Throws a description of the
   * violations.
   */
  check(children: readonly string[]): void {
    const broken: string[] = [];
    const expected = children.toReversed();
    if (this.#ended.join() !== expected.join()) {
      broken.push(`they ended as ${this.#ended.join(" ")}, not as ${expected.join(" ")}`);
    }
    for (const [child, { lines, reason }] of this.#held) {
      if (lines > 0) broken.push(`${child} has lost ${lines} lines`);
      if (reason !== "shutdown") {
        broken.push(`${child} received the reason ${reason} instead of shutdown`);
      }
    }
    throwBroken(broken);
  }
}
