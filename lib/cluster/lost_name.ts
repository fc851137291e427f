/**
 * Handles the loss of a global name to an actor of another node.
 *
 * @module
 */
import type { System } from "../actor/system.ts";
import { Deadline } from "../actor/timer.ts";
import type { Pid } from "../term/pid.ts";

/** Time limit for a resolver, in milliseconds. When it has passed, the default applies. */
export const RESOLVE_MS_MAX = 30_000;

/** Describes a conflict: two nodes held the same name, and the actor of this node has lost it. */
export interface NameConflict {
  /** The global name. */
  readonly name: string;
  /** The actor of this node that has lost the name. */
  readonly loser: Pid;
  /**
   * The other actor. It keeps the name, unless a resolver has decided that neither actor keeps it.
   */
  readonly winner: Pid;
}

/**
 * Chooses which of two actors keeps a name that both hold after a partition: one of the two pids,
 * or `undefined` for neither. Called only on the node whose actor would lose the name.
 */
export type Resolve = (
  name: string,
  one: Pid,
  other: Pid,
) => Pid<never> | undefined | Promise<Pid<never> | undefined>;

/**
 * The policy for an actor that loses its name to an actor of another node. With `"exit"`, the actor
 * exits with `{ nameConflict, winner }`. With `"keep"`, it continues without the name. A function
 * may first hand the actor's state over to the winner. It is called when this node is connected to
 * the winner's node, or after the heartbeat timeout. The actor exits when the returned promise
 * settles, unless it resolves to `"keep"`, and after 30 seconds at the latest.
 */
export type OnConflict =
  | "exit"
  | "keep"
  | ((conflict: NameConflict) => unknown);

/**
 * Applies `onConflict` to the actor that has lost its name. `reach` resolves when messages can
 * reach the winner.
 */
export function settleConflict(
  system: System,
  conflict: NameConflict,
  how: OnConflict,
  reach: () => Promise<void>,
): void {
  if (how === "keep") return;
  const { name, loser, winner } = conflict;
  const end = (): void => system.exit(loser, { nameConflict: name, winner });
  if (how === "exit") return end();
  const deadline = new Deadline(end);
  system.setTimer(deadline, RESOLVE_MS_MAX);
  // If the function throws or rejects, the actor exits, as with `"exit"`.
  reach().then(() => how(conflict)).catch(() => {}).then((verdict) => {
    if (deadline.next === undefined) return;
    system.wheel.remove(deadline);
    if (verdict !== "keep") end();
  });
}
