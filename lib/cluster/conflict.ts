/**
 * What becomes of an actor that has lost its global name.
 *
 * @module
 */
import type { System } from "../actor/system.ts";
import { Deadline } from "../actor/timer.ts";
import type { Pid } from "../term/pid.ts";

/** A resolver may take this long to settle a conflict; then the default applies. Milliseconds. */
export const RESOLVE_MS_MAX = 30_000;

/** Two nodes held one name; this node's lost it. */
export interface NameConflict {
  /** The name. */
  readonly name: string;
  /** The actor of this node that has lost the name. */
  readonly loser: Pid;
  /** The other actor. It keeps the name, unless a resolver has decided that neither does. */
  readonly winner: Pid;
}

/**
 * Chooses which of two actors keeps a name that both hold after a partition: one of the two pids, or
 * `undefined` for neither. Called on one of the two nodes only: the one that would lose the name.
 */
export type Resolve = (
  name: string,
  one: Pid,
  other: Pid,
) => Pid<never> | undefined | Promise<Pid<never> | undefined>;

/**
 * What becomes of an actor that loses its name: `"exit"` ends it with `{ nameConflict, winner }`; `"keep"`
 * lets it live on, nameless. A function may hand its state to the winner first: the actor ends when
 * what it gives is settled, unless that is `"keep"`, and after 30 seconds at the latest.
 */
export type OnConflict =
  | "exit"
  | "keep"
  | ((conflict: NameConflict) => unknown);

/** Does with the loser what it was registered for. */
export function settleConflict(system: System, conflict: NameConflict, how: OnConflict): void {
  if (how === "keep") return;
  const { name, loser, winner } = conflict;
  const end = (): void => system.exit(loser, { nameConflict: name, winner });
  if (how === "exit") return end();
  const deadline = new Deadline(end);
  system.setTimer(deadline, RESOLVE_MS_MAX);
  // What the resolver throws ends the actor, as if it had nothing to say.
  new Promise((resolve) => resolve(how(conflict))).catch(() => {}).then((verdict) => {
    if (deadline.next === undefined) return;
    system.wheel.remove(deadline);
    if (verdict !== "keep") end();
  });
}
