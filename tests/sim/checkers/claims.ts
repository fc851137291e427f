/**
 * Checks registrations during faults. If two registrations of a name have resolved to `true`, and
 * some node was connected to both holders, at most one of them still holds the name. With a quorum
 * there is at most one holder in any case, and its token is higher than all earlier ones.
 */
import { KNOWN_MS, type Sessions, TokenChecker } from "./sessions.ts";

/** A registration that resolved to `true`. */
export interface Held {
  readonly name: string;
  readonly node: string;
  readonly pid: string;
  /** The time at which the registration was requested. */
  readonly since: number;
  readonly token: number | undefined;
}

/** Checks registrations of global names. */
export class ClaimChecker {
  readonly #sessions: Sessions;
  #held: Held[] = [];
  readonly #tokens: TokenChecker;
  /** The problems found so far. */
  readonly broken: string[] = [];

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
    this.#tokens = new TokenChecker(sessions);
  }

  /**
   * Records that a registration has resolved to `true`. With `needsQuorum`, only one actor may hold
   * the name.
   */
  take(held: Held, needsQuorum: boolean, now: number): void {
    const { name, node, token } = held;
    for (const other of this.#held) {
      if (other.name !== name || other.pid === held.pid) continue;
      const both = `${name} is held on ${other.node} and on ${node}`;
      if (needsQuorum) {
        if (!this.#sessions.isStale(other.node, now) && !this.#sessions.isStale(node, now)) {
          this.broken.push(`${both}, at ${now}`);
        }
        continue;
      }
      // The registrations conflict if some node was connected to both holders since the earlier
      // request. If that was long ago, it suffices that the node was connected for long enough
      // before the later request to know the earlier name.
      const since = Math.max(Math.min(other.since, held.since), held.since - KNOWN_MS);
      const known = this.#sessions.between(other.node, node, since);
      if (known !== undefined) this.broken.push(`${both}, and ${known} knew both, at ${now}`);
    }
    if (needsQuorum) {
      const wrong = this.#tokens.take(name, node, token, false);
      if (wrong !== undefined) this.broken.push(`${wrong}, at ${now}`);
    }
    this.#held.push(held);
  }

  /**
   * Records that a name is no longer held: it was unregistered or lost in a conflict, or its actor
   * has exited.
   */
  release(node: string, name?: string, pid?: string): void {
    this.#held = this.#held.filter((held) =>
      held.node !== node || (name !== undefined && held.name !== name) ||
      (pid !== undefined && held.pid !== pid)
    );
  }

  /** Throws a description of the violations. */
  check(): void {
    if (this.broken.length > 0) throw new Error(this.broken.slice(0, 5).join("\n"));
  }
}
