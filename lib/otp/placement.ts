/**
 * Chooses the node of a remote child: a given node, or one of the nodes that expose its function.
 * Deterministic.
 *
 * | choice | node |
 * |---|---|
 * | `"name@host:port"` | that node |
 * | `"any"` | a random node |
 * | `"least_loaded"` | the node with the fewest remote children of this supervisor; of several, the first by name |
 * | `"round_robin"` | the next node, in the order of names |
 * | a function | the node that it returns |
 *
 * The load is the number of the supervisor's own children on a node; other load is not considered.
 *
 * @module
 */
import { unreachable } from "../base/assert.ts";

/**
 * The ways to choose a node.
 *
 * @example
 * ```ts
 * import { PLACEMENTS } from "@firn/firn/otp";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(PLACEMENTS, ["any", "least_loaded", "round_robin"]);
 * ```
 */
export const PLACEMENTS = ["any", "least_loaded", "round_robin"] as const;

/** One of {@linkcode PLACEMENTS}. */
export type Placement = (typeof PLACEMENTS)[number];

/** A node that exposes the function of the child. */
export interface Candidate {
  /** The name of the node, `name@host:port`. */
  readonly node: string;
  /** The number of remote children of this supervisor that run on the node. */
  readonly children: number;
}

/** Chooses a node. Returns `undefined` to choose none. */
export type NodeSelector = (candidates: readonly Candidate[]) => string | undefined;

/** The name of a node, or a way to choose one. */
export type NodeChoice = Placement | NodeSelector | (string & Record<never, never>);

/** Returns whether a choice is the name of a node. */
export function isNodeName(choice: NodeChoice): choice is `${string}@${string}` {
  return typeof choice === "string" && choice.includes("@");
}

/**
 * Returns whether a value is not a valid choice: it is neither a placement, nor a function, nor the
 * name of a node.
 */
export function isNoChoice(choice: unknown): boolean {
  return typeof choice !== "function" && !PLACEMENTS.includes(choice as Placement) &&
    !(typeof choice === "string" && isNodeName(choice));
}

/** Chooses nodes for the children of one supervisor. */
export class Placer {
  /** The number of remote children by node. */
  readonly #children = new Map<string, number>();
  /**
   * For "round_robin": the node that was chosen last for each function, by the name of the
   * function.
   */
  readonly #turns = new Map<string, string>();

  /** Records that a child has started on a node. */
  arrived(node: string): void {
    this.#children.set(node, (this.#children.get(node) ?? 0) + 1);
  }

  /** Records that a child on a node has exited. */
  left(node: string): void {
    const left = (this.#children.get(node) ?? 0) - 1;
    if (left > 0) this.#children.set(node, left);
    else this.#children.delete(node);
  }

  /**
   * Chooses one of the nodes, which must be sorted. Returns undefined if there are none. `chance`
   * is a random number in [0, 1).
   */
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
