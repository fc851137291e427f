/** The incarnations of the nodes of a simulation, and views of those that are up. */
import type { Node } from "../../../lib/node.ts";
import { keysOf, type View } from "../checkers/checker.ts";
import { NAMES } from "../checkers/names.ts";

/** Counts the incarnations of nodes. */
export class Incarnations {
  readonly #counts = new Map<string, number>();

  /** Starts a new incarnation of a node. Returns its name, such as `a2`. */
  up(short: string): string {
    this.#counts.set(short, (this.#counts.get(short) ?? 0) + 1);
    return this.of(short);
  }

  /** Returns the current or last incarnation of a node. */
  of(short: string): string {
    return `${short}${this.#counts.get(short)}`;
  }

  /** Returns for each node the view that the checkers read. */
  views(nodes: ReadonlyMap<string, Node>): View[] {
    return Array.from(nodes, ([short, node]) => viewOf(this.of(short), node));
  }
}

/** Returns the state of a node that the checkers read. */
export function viewOf(incarnation: string, node: Node): View {
  const names: Record<string, string> = {};
  for (const name of NAMES) {
    const pid = node.global.whereis(name);
    if (pid !== undefined) names[name] = pid.key;
  }
  return { incarnation, names, actors: keysOf(node.actors()) };
}
