/**
 * Who has been connected with whom, and since when; who runs, and who has just gone on.
 */

/** A node that goes on has this long to find out what it has missed. Milliseconds. */
const STALE_MS = 500;

/** A session is this old before a node knows all names of the other. Milliseconds. */
export const KNOWN_MS = 6_000;

/** Sessions as both sides see them, by full names. */
export class Sessions {
  readonly #since = new Map<string, Map<string, number>>();
  readonly #lives = new Map<string, number>();
  readonly #paused = new Set<string>();
  readonly #resumedAt = new Map<string, number>();

  /** A node is up, in a new life. */
  start(node: string): void {
    this.#since.set(node, new Map());
    this.#lives.set(node, (this.#lives.get(node) ?? 0) + 1);
    this.#paused.delete(node);
    this.#resumedAt.delete(node);
  }

  /** It is gone. */
  end(node: string): void {
    this.#since.delete(node);
  }

  up(node: string, other: string, now: number): void {
    this.#since.get(node)?.set(other, now);
  }

  down(node: string, other: string): void {
    this.#since.get(node)?.delete(other);
  }

  pause(node: string, isPaused: boolean, now: number): void {
    if (isPaused) this.#paused.add(node);
    else if (this.#paused.delete(node)) this.#resumedAt.set(node, now);
  }

  /** Whether it stands still, or has just gone on and cannot know yet what it has missed. */
  isStale(node: string, now: number): boolean {
    return this.#paused.has(node) || now - (this.#resumedAt.get(node) ?? -Infinity) < STALE_MS;
  }

  /** A node that has been connected with both since that moment, as all of them see it. */
  between(one: string, other: string, since: number): string | undefined {
    for (const node of this.#since.keys()) {
      if (this.isJoined(node, one, since) && this.isJoined(node, other, since)) return node;
    }
    return undefined;
  }

  /** The lives of a node and of all that it is connected with: they know what is granted there now. */
  known(node: string): Set<string> {
    const nodes = [node];
    for (const other of this.#since.keys()) {
      if (other !== node && this.isJoined(node, other, Infinity)) nodes.push(other);
    }
    return new Set(nodes.map((name) => `${name} ${this.#lives.get(name)}`));
  }

  /** Whether two nodes have been connected since that moment, as both see it. */
  isJoined(one: string, other: string, since: number): boolean {
    if (one === other) return true;
    const [here, there] = [this.#since.get(one)?.get(other), this.#since.get(other)?.get(one)];
    return here !== undefined && there !== undefined && Math.max(here, there) <= since;
  }
}

/** Tokens, and who knows of them. They are kept in memory: what all have forgotten may come again. */
export class TokenChecker {
  readonly #sessions: Sessions;
  readonly #last = new Map<string, { token: number; known: Set<string> }>();

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  /** A token was granted. Returns what is wrong with it. `isAgain`: the same one may come again. */
  take(
    name: string,
    node: string,
    token: number | undefined,
    isAgain: boolean,
  ): string | undefined {
    const known = this.#sessions.known(node);
    const last = this.#last.get(name);
    const isKnown = last !== undefined && [...last.known].some((life) => known.has(life));
    if (token === undefined) return `${name} has no token on ${node}`;
    const isLow = last !== undefined && (isAgain ? token < last.token : token <= last.token);
    this.#last.set(name, { token, known });
    return isKnown && isLow ? `${name} has token ${token} after ${last!.token}` : undefined;
  }
}
