/** Records which nodes are connected and since when, and which nodes run or have just resumed. */

/** The time in milliseconds within which a resumed node detects what has changed. */
const STALE_MS = 500;

/** The age in milliseconds of a session at which a node knows all names of the other. */
export const KNOWN_MS = 6_000;

/** Sessions as each side sees them, by full node names. */
export class Sessions {
  readonly #since = new Map<string, Map<string, number>>();
  readonly #incarnations = new Map<string, number>();
  readonly #paused = new Set<string>();
  readonly #resumedAt = new Map<string, number>();

  /** Records that a node has started, as a new incarnation. */
  start(node: string): void {
    this.#since.set(node, new Map());
    this.#incarnations.set(node, (this.#incarnations.get(node) ?? 0) + 1);
    this.#paused.delete(node);
    this.#resumedAt.delete(node);
  }

  /** Records that an incarnation has ended. */
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

  /**
   * Returns whether a node is paused, or has resumed so recently that it may not know what has
   * changed.
   */
  isStale(node: string, now: number): boolean {
    return this.#paused.has(node) || now - (this.#resumedAt.get(node) ?? -Infinity) < STALE_MS;
  }

  /**
   * Returns a node that has been connected to both nodes since `since`, according to all three.
   * Returns undefined if there is none.
   */
  between(one: string, other: string, since: number): string | undefined {
    for (const node of this.#since.keys()) {
      if (this.isJoined(node, one, since) && this.isJoined(node, other, since)) return node;
    }
    return undefined;
  }

  /**
   * Returns the incarnations of a node and of all nodes that it is connected to. These nodes know
   * the names that the node has granted.
   */
  known(node: string): Set<string> {
    const nodes = [node];
    for (const other of this.#since.keys()) {
      if (other !== node && this.isJoined(node, other, Infinity)) nodes.push(other);
    }
    return new Set(nodes.map((name) => `${name} ${this.#incarnations.get(name)}`));
  }

  /** Returns whether two nodes have been connected since `since`, according to both. */
  isJoined(one: string, other: string, since: number): boolean {
    if (one === other) return true;
    const [here, there] = [this.#since.get(one)?.get(other), this.#since.get(other)?.get(one)];
    return here !== undefined && there !== undefined && Math.max(here, there) <= since;
  }
}

/**
 * Checks the tokens that were granted. Nodes keep tokens in memory, so a token may be granted again
 * if all nodes that knew it have ended.
 */
export class TokenChecker {
  readonly #sessions: Sessions;
  readonly #last = new Map<string, { token: number; known: Set<string> }>();

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  /**
   * Records a granted token. Returns the violation, if any. With `isAgain`, the same token may be
   * granted again.
   */
  take(
    name: string,
    node: string,
    token: number | undefined,
    isAgain: boolean,
  ): string | undefined {
    const known = this.#sessions.known(node);
    const last = this.#last.get(name);
    const isKnown = last !== undefined &&
      [...last.known].some((incarnation) => known.has(incarnation));
    if (token === undefined) return `${name} has no token on ${node}`;
    const isLow = last !== undefined && (isAgain ? token < last.token : token <= last.token);
    this.#last.set(name, { token, known });
    return isKnown && isLow ? `${name} has token ${token} after ${last!.token}` : undefined;
  }
}
