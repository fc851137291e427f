/**
 * Checks that when a node is stopped in order, its supervision trees stop in reverse order of their
 * start, as do the children of each, and every service has written its data.
 */
import { throwBroken } from "./checker.ts";

/** The data that a service holds and has not written yet. */
interface Held {
  lines: number;
  /** The reason passed to `terminate`; `undefined` while it runs. */
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

  /** Records that a child holds another line. */
  added(child: string): void {
    this.#held.get(child)!.lines++;
  }

  /** Records that a child has written its data, because it is terminating. */
  wrote(child: string, lines: number, reason: string): void {
    const held = this.#held.get(child)!;
    held.lines -= lines;
    held.reason = reason;
    this.#ended.push(child);
  }

  /** Records that the node begins to stop: exits before this are not checked. */
  stopping(): void {
    this.#ended.length = 0;
  }

  /**
   * Checks the stopped node, and throws an error that describes the broken promise. `children` is in
   * the order in which the children started.
   */
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
