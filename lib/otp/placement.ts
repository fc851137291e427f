/**
 * On which node a remote child is to run: one that is named, or one that is chosen among those that
 * expose its function. Quiet.
 *
 * | choice | node |
 * |---|---|
 * | `"name@host:port"` | that one |
 * | `"any"` | one by chance |
 * | `"least_loaded"` | the one with the fewest remote children of this supervisor; the first of equals |
 * | `"round_robin"` | the next, in the order of their names |
 * | a function | whichever it names |
 *
 * Load is what the supervisor itself knows: its own children. What else a node has to do is not asked.
 *
 * @module
 */
import { unreachable } from "../base/assert.ts";

/** How a node is chosen, in one word. */
export const PLACEMENTS = ["any", "least_loaded", "round_robin"] as const;

/** One of {@linkcode PLACEMENTS}. */
export type Placement = (typeof PLACEMENTS)[number];

/** A node that exposes the function. */
export interface Candidate {
  /** Its name, `name@host:port`. */
  readonly node: string;
  /** How many remote children of the same supervisor run there. */
  readonly children: number;
}

/** Chooses a node. `undefined`: none of them. */
export type NodeSelector = (candidates: readonly Candidate[]) => string | undefined;

/** A node by its name, or how to choose one. */
export type NodeChoice = Placement | NodeSelector | (string & Record<never, never>);

/** Whether it is the name of a node, and not how to choose one. */
export function isNodeName(choice: NodeChoice): choice is `${string}@${string}` {
  return typeof choice === "string" && choice.includes("@");
}

/** Whether it is neither a name nor a way to choose. */
export function isNoChoice(choice: unknown): boolean {
  return typeof choice !== "function" && !PLACEMENTS.includes(choice as Placement) &&
    !(typeof choice === "string" && isNodeName(choice));
}

/** Chooses for the children of one supervisor. */
export class Placer {
  /** How many remote children run on which node. */
  readonly #children = new Map<string, number>();
  /** Whose turn it was, by the name of the function. */
  readonly #turns = new Map<string, string>();

  /** A child runs on a node. */
  arrived(node: string): void {
    this.#children.set(node, (this.#children.get(node) ?? 0) + 1);
  }

  /** A child runs there no more. */
  left(node: string): void {
    const left = (this.#children.get(node) ?? 0) - 1;
    if (left > 0) this.#children.set(node, left);
    else this.#children.delete(node);
  }

  /** One of the nodes, which are in order; undefined if there is none. `chance` is in [0, 1). */
  choose(
    choice: Placement | NodeSelector,
    fn: string,
    nodes: readonly string[],
    chance: number,
  ): string | undefined {
    if (nodes.length === 0) return undefined;
    if (typeof choice === "function") {
      return choice(nodes.map((node) => ({ node, children: this.#on(node) })));
    }
    switch (choice) {
      case "any":
        return nodes[Math.floor(chance * nodes.length)];
      case "least_loaded":
        return nodes.reduce((least, node) => this.#on(node) < this.#on(least) ? node : least);
      case "round_robin": {
        const last = this.#turns.get(fn) ?? "";
        const next = nodes.find((node) => node > last) ?? nodes[0]!;
        this.#turns.set(fn, next);
        return next;
      }
      default:
        return unreachable(choice);
    }
  }

  #on(node: string): number {
    return this.#children.get(node) ?? 0;
  }
}
