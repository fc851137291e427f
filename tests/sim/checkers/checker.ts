/**
 * The common parts of all checkers. The workload runs during the faults, and records its actions
 * and observations as facts. A checker reads the facts of all incarnations of all nodes, and the
 * final state of the nodes, and reports violations. The same checker therefore works for nodes in
 * the simulator and for nodes in processes, whose facts are in files.
 *
 *     work ──facts──▶ checker ◀──views── nodes at the end
 *
 * An incarnation is one start of a node, such as `a2`. Actors are identified by the keys
 * of their pids.
 */
import type { Pid } from "../../../lib/term/pid.ts";

/** An action or observation on a node. All facts can be encoded as JSON. */
export type Fact =
  /**
   * A message is about to be sent to a node's sink. `round` is set when there are no faults, so
   * that the message must arrive.
   */
  | { kind: "sent"; to: string; number: number; round?: number }
  /**
   * A sink on the node `at` received a message; `to` is the receiver's pid if it was sent by pid.
   */
  | { kind: "got"; sink: string; at: string; from: string; number: number; to?: string }
  /** An actor is about to link to another actor, to monitor it, or both. */
  | { kind: "bond"; bond: string; target: string; ways: Ways }
  | { kind: "exit"; bond: string; reason: string }
  | { kind: "down"; bond: string; reason: string }
  /** An actor's registration of a global name resolved to `true`. */
  | { kind: "holds"; name: string; pid: string }
  /** The name was unregistered on this node. */
  | { kind: "released"; name: string }
  /**
   * A line is about to be sent to a room while there are no faults: every member must receive it.
   */
  | { kind: "said"; line: string; round: number }
  | { kind: "receivedLine"; from: string; number: number }
  /** A supervisor has started. Its children are `<tree> home` and `<tree> far`. */
  | { kind: "tree"; tree: string }
  | { kind: "runs"; child: string; pid: string }
  | { kind: "ended"; child: string; pid: string };

/** The relations of an actor to another. */
export type Ways = "link" | "monitor" | "both";

/** Records a fact. */
export type Tell = (fact: Fact) => void;

/** The final state of a node that is up. */
export interface View {
  readonly incarnation: string;
  /** The holders of the global names that the workload uses. */
  readonly names: Readonly<Record<string, string>>;
  /** The keys of its actors. */
  readonly actors: readonly string[];
}

/** Checks one promise. */
export interface Checker {
  /** Handles a fact of an incarnation. Facts of one incarnation arrive in order. */
  take(incarnation: string, fact: Fact): void;
  /** Handles the end of an incarnation, with which its actors end. */
  gone(incarnation: string): void;
  /** Throws a description of the violations. Called when everything is idle. */
  check(views: readonly View[]): void;
}

/** Returns the keys of all live actors. */
export function livingOf(views: readonly View[]): Set<string> {
  return new Set(views.flatMap(({ actors }) => actors));
}

/** Returns the keys of pids. */
export function keysOf(pids: readonly Pid[]): string[] {
  return pids.map(({ key }) => key);
}

/** Throws the first few problems, if there are any. */
export function throwBroken(broken: readonly string[]): void {
  if (broken.length > 0) throw new Error(broken.slice(0, 5).join("\n"));
}
