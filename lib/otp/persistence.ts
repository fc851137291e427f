/**
 * Loads the stored state of one service, and saves its changes.
 *
 * @module
 */
import { describe } from "../actor/describe.ts";
import { BadReturnError } from "../actor/errors.ts";
import { isThenable } from "../actor/exit.ts";
import { decodeTerm } from "../term/decode.ts";
import { encodeTerm } from "../term/encode.ts";
import { type PersistOptions, StaleStateError, type Stored } from "./store.ts";

/**
 * Upper bound of the random first version of a value. The version is random so that a value that
 * was removed and stored again has a new version.
 */
const FIRST_VERSION_MAX = 2 ** 40;

/** Parameters of the start of a service, in addition to the arguments of `init`. */
export interface StartTerms {
  /** The state that another actor has handed over. Undefined if there is none. */
  readonly state?: unknown;
  /** The options of persistence, if the service's state is stored. */
  readonly persist?: PersistOptions | undefined;
  /** The key of the stored state. */
  readonly key?: string | undefined;
}

/** Loads and saves the state of one service. */
export class Persistence {
  /**
   * Maximum delay before a change is saved, in milliseconds. With 0, it is saved before the reply.
   */
  readonly withinMs: number;
  readonly #options: PersistOptions;
  readonly #key: string;
  readonly #chance: () => number;
  #version: number | undefined = undefined;
  /**
   * The encoding of the stored or initial state. A state with the same encoding is not saved again.
   */
  #bytes: Uint8Array | undefined = undefined;

  constructor(options: PersistOptions, key: string, chance: () => number) {
    this.#options = options;
    this.#key = key;
    this.#chance = chance;
    this.withinMs = options.within ?? 0;
  }

  /**
   * Returns the stored state, or `first` if no state is stored. Returns a promise if the store is
   * async.
   */
  restore(first: unknown): unknown | Promise<unknown> {
    const loaded = this.#options.store.load(this.#key);
    const take = (found: Awaited<typeof loaded>): unknown => {
      const stored = this.#checked(found);
      this.#version = stored?.version;
      this.#bytes = stored?.value ?? encodeTerm(first);
      return stored === undefined ? first : decodeTerm(stored.value);
    };
    return isThenable(loaded) ? Promise.resolve(loaded).then(take) : take(loaded as never);
  }

  /**
   * Checks and returns the value that the store has loaded. Databases return `null` if nothing is
   * stored.
   */
  #checked(stored: unknown): Stored | undefined {
    if (stored === undefined || stored === null) return undefined;
    const { value, version } = stored as Partial<Stored>;
    if (value instanceof Uint8Array && Number.isSafeInteger(version)) return stored as Stored;
    throw new BadReturnError(
      `load of the store returned ${describe(stored)} for ${JSON.stringify(this.#key)}: ` +
        "return undefined, or { value, version }, a Uint8Array and an integer",
    );
  }

  /**
   * Saves a state if it has changed. Throws or rejects with `StaleStateError` if another actor has
   * replaced the stored state.
   */
  save(state: unknown): void | Promise<void> {
    const bytes = encodeTerm(state);
    if (this.#bytes !== undefined && equalBytes(bytes, this.#bytes)) return;
    const previous = this.#version;
    const version = (previous ?? Math.floor(this.#chance() * FIRST_VERSION_MAX)) + 1;
    const saved = this.#options.store.save(this.#key, bytes, version, previous);
    const take = (isSaved: unknown): void => {
      if (isSaved !== true && isSaved !== false) {
        throw new BadReturnError(
          `save of the store returned ${describe(isSaved)} for ${JSON.stringify(this.#key)}: ` +
            "return true if it has stored the value, and false if the version was another",
        );
      }
      if (!isSaved) throw new StaleStateError(this.#key);
      this.#version = version;
      this.#bytes = bytes;
    };
    return isThenable(saved) ? Promise.resolve(saved).then(take) : take(saved);
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
