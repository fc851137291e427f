/**
 * Checks registrations while things fail. Of two that resolved to true at most one holds a name, if any
 * node has been connected with both. With a quorum there is one at the most, whoever is connected, and its
 * token is higher than all before.
 */
import { KNOWN_MS, type Sessions, TokenChecker } from "./sessions.ts";

/** A registration that resolved to true. */
export interface Held {
  readonly name: string;
  readonly node: string;
  readonly pid: string;
  /** When it was asked for. */
  readonly since: number;
  readonly token: number | undefined;
}

/** Judges registrations. */
export class ClaimChecker {
  readonly #sessions: Sessions;
  #held: Held[] = [];
  readonly #tokens: TokenChecker;
  /** What was broken. */
  readonly broken: string[] = [];

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
    this.#tokens = new TokenChecker(sessions);
  }

  /** One has resolved to true. `needsQuorum`: only one may hold it. */
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
      // Both were connected with it when they asked, or the one so long that it is known.
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

  /** It is held no more: withdrawn, lost in a conflict or with its actor. */
  release(node: string, name?: string, pid?: string): void {
    this.#held = this.#held.filter((held) =>
      held.node !== node || (name !== undefined && held.name !== name) ||
      (pid !== undefined && held.pid !== pid)
    );
  }

  /** Throws what was broken. */
  check(): void {
    if (this.broken.length > 0) throw new Error(this.broken.slice(0, 5).join("\n"));
  }
}
