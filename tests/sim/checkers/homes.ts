/**
 * Checks home actors: each key has one actor, on the node that is the key's home. The actor of a
 * key does not start on a node while it runs on another, if the two nodes have received each
 * other's hello or are connected. With a quorum, a key never has actors on two nodes at once, and
 * tokens increase. No request is handled twice, and every answered request was handled.
 */
import { throwBroken } from "./checker.ts";
import { type Sessions, TokenChecker } from "./sessions.ts";

/**
 * Without a quorum, two starts on connected nodes are an error only if the nodes have been connected
 * for this many milliseconds. A start that was decided before may still take effect until then.
 */
const SETTLED_MS = 1;

interface Run {
  readonly kind: string;
  readonly key: string;
  readonly node: string;
}

/** Checks home actors. */
export class HomeChecker {
  readonly #sessions: Sessions;
  readonly #runs = new Set<Run>();
  readonly #tokens: TokenChecker;
  readonly #knows: (kind: string, node: string, other: string) => boolean;
  readonly #handled = new Set<number>();
  readonly broken: string[] = [];

  /** `knows` returns whether a node has received the hello of another node. */
  constructor(
    sessions: Sessions,
    knows: (kind: string, node: string, other: string) => boolean,
  ) {
    this.#sessions = sessions;
    this.#knows = knows;
    this.#tokens = new TokenChecker(sessions);
  }

  /** Records that the actor of a key starts. Returns a function that records its end. */
  start(
    kind: string,
    key: string,
    node: string,
    token: number | undefined,
    needsQuorum: boolean,
    now: number,
  ): () => void {
    for (const other of this.#runs) {
      if (other.kind !== kind || other.key !== key || other.node === node) continue;
      const haveMet = this.#knows(kind, node, other.node) && this.#knows(kind, other.node, node);
      const isStale = this.#sessions.isStale(other.node, now) || this.#sessions.isStale(node, now);
      const isLong = this.#sessions.isJoined(other.node, node, now - SETTLED_MS);
      if (!haveMet && (isStale || !(needsQuorum || isLong))) continue;
      this.broken.push(`${kind} ${key} starts on ${node} and runs on ${other.node}, at ${now}`);
    }
    if (needsQuorum) {
      const wrong = this.#tokens.take(`${kind} ${key}`, node, token, false);
      if (wrong !== undefined) this.broken.push(`${wrong}, at ${now}`);
    }
    const run = { kind, key, node };
    this.#runs.add(run);
    return () => void this.#runs.delete(run);
  }

  /** Records that a node has crashed, with its actors. */
  end(node: string): void {
    for (const run of [...this.#runs]) if (run.node === node) this.#runs.delete(run);
  }

  /** Records that an actor handles a request. */
  handle(request: number): void {
    if (this.#handled.has(request)) this.broken.push(`request ${request} is handled twice`);
    this.#handled.add(request);
  }

  /** Records that a request was answered. */
  answer(request: number): void {
    if (!this.#handled.has(request)) {
      this.broken.push(`request ${request} is answered, but was not handled`);
    }
  }

  /**
   * Checks the idle cluster. `homes` contains, for each key, its home in the view of each node.
   * Throws a description of the violations.
   */
  check(homes: ReadonlyMap<string, readonly (string | undefined)[]>): void {
    throwBroken(this.broken);
    for (const [name, nodes] of homes) {
      if (new Set(nodes).size !== 1) {
        throw new Error(`${name} is at home on ${nodes.join(" and ")}`);
      }
      const runs = [...this.#runs].filter(({ kind, key }) => `${kind} ${key}` === name);
      if (runs.length !== 1 || runs[0]!.node !== nodes[0]) {
        const found = runs.map(({ node }) => node).join(" and ") || "no node";
        throw new Error(`${name} runs on ${found}, and its home is ${nodes[0]}`);
      }
    }
  }
}
