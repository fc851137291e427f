/**
 * What all checkers share. Work goes on while things fail, and writes down what it does and what it sees:
 * facts. A checker reads the facts of all lives of all nodes, and at the end what is found on the nodes, and
 * says what was broken. So the same checker judges nodes in the simulator and nodes in processes, whose
 * facts are in files.
 *
 *     work ──facts──▶ checker ◀──views── nodes at the end
 *
 * A life is one start of one node, such as `a2`; an actor stands by the key of its pid.
 */
import type { Pid } from "../../../lib/term/pid.ts";

/** Something that was done or seen on a node. All facts are JSON. */
export type Fact =
  /** A message is about to be sent to a node's sink. In `round`: when nothing is wrong, so it must arrive. */
  | { kind: "sent"; to: string; number: number; round?: number }
  /** A sink, of the node `at`, got one; `to` is for whom it was, if it was sent by pid. */
  | { kind: "got"; sink: string; at: string; from: string; number: number; to?: string }
  /** An actor is about to link with another, to monitor it, or both. */
  | { kind: "bond"; bond: string; target: string; ways: Ways }
  | { kind: "exit"; bond: string; reason: string }
  | { kind: "down"; bond: string; reason: string }
  /** An actor was told that it holds a global name. */
  | { kind: "holds"; name: string; pid: string }
  /** The name was taken from whoever held it on this node. */
  | { kind: "released"; name: string }
  /** A line is about to be said in a room, when nothing is wrong: everybody must hear it. */
  | { kind: "said"; line: string; round: number }
  | { kind: "heard"; from: string; number: number }
  /** A supervisor is up; its children are `<tree> home` and `<tree> far`. */
  | { kind: "tree"; tree: string }
  | { kind: "runs"; child: string; pid: string }
  | { kind: "ended"; child: string; pid: string };

/** How an actor is bound to another. */
export type Ways = "link" | "monitor" | "both";

/** Writes a fact down. */
export type Tell = (fact: Fact) => void;

/** What is found at the end on a node that is up. */
export interface View {
  readonly life: string;
  /** Who is found under the global names that the work uses. */
  readonly names: Readonly<Record<string, string>>;
  /** Its actors. */
  readonly actors: readonly string[];
}

/** Judges one promise. */
export interface Checker {
  /** A life did or saw something. Each life's come in their order. */
  take(life: string, fact: Fact): void;
  /** That life is over: what was there is gone with it. */
  gone(life: string): void;
  /** All is at rest: throws what was broken. */
  check(views: readonly View[]): void;
}

/** The keys of all actors that live. */
export function livingOf(views: readonly View[]): Set<string> {
  return new Set(views.flatMap(({ actors }) => actors));
}

/** The keys of some pids. */
export function keysOf(pids: readonly Pid[]): string[] {
  return pids.map(({ key }) => key);
}

/** Throws the first few of what was broken, if anything was. */
export function throwBroken(broken: readonly string[]): void {
  if (broken.length > 0) throw new Error(broken.slice(0, 5).join("\n"));
}
