/**
 * A name of this node, and the peers that are asked whether it may have it.
 *
 * @module
 */
import type { Chained } from "../actor/actor_ref.ts";
import type { OnConflict } from "./conflict.ts";
import type { NameEntry } from "./names.ts";

/** Peers that have not said OK to a REGISTER yet. */
export interface Asking {
  readonly request: number;
  /** Whom each believes to have the name, if it has said so: it will say OK when that one has not. */
  readonly waiting: Map<string, string | undefined>;
  readonly done: (registered: boolean) => void;
  readonly promise: Promise<boolean>;
}

/** The name. It hangs on its actor, if that is of this node. */
export class LocalName implements Chained {
  following: Chained | undefined = undefined;
  preceding: Chained | undefined = undefined;
  readonly number: number;
  readonly entry: NameEntry;
  readonly onConflict: OnConflict;
  readonly #ended: () => void;
  /** As long as peers are asked. */
  asking: Asking | undefined = undefined;
  /** Waits for the end of its actor no more. */
  unwatch: () => void = () => {};

  constructor(number: number, entry: NameEntry, onConflict: OnConflict, ended: () => void) {
    this.number = number;
    this.entry = entry;
    this.onConflict = onConflict;
    this.#ended = ended;
  }

  drop(): void {
    this.#ended();
  }
}
