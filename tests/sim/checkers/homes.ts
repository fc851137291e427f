/**
 * Checks homes: no key starts on a node while it runs on another if the two have each other's hello, or have
 * been connected for a while; with a quorum on no two nodes at once, with rising tokens; no request is handled twice, and none is answered that
 * was not handled.
 */
import { throwBroken } from "./checker.ts";
import { KNOWN_MS, type Sessions, TokenChecker } from "./sessions.ts";

interface Run {
  readonly kind: string;
  readonly key: string;
  readonly node: string;
}

/** Judges homes. */
export class HomeChecker {
  readonly #sessions: Sessions;
  readonly #runs = new Set<Run>();
  readonly #tokens: TokenChecker;
  readonly #knows: (kind: string, node: string, other: string) => boolean;
  readonly #handled = new Set<number>();
  readonly broken: string[] = [];

  /** `knows`: whether a node has the hello of another. */
  constructor(
    sessions: Sessions,
    knows: (kind: string, node: string, other: string) => boolean,
  ) {
    this.#sessions = sessions;
    this.#knows = knows;
    this.#tokens = new TokenChecker(sessions);
  }

  /** The actor of a key starts. Returns what ends it. */
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
      const isLong = this.#sessions.isJoined(other.node, node, now - KNOWN_MS);
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

  /** A node is gone, with what ran there. */
  end(node: string): void {
    for (const run of [...this.#runs]) if (run.node === node) this.#runs.delete(run);
  }

  /** An actor handles a request. */
  handle(request: number): void {
    if (this.#handled.has(request)) this.broken.push(`request ${request} is handled twice`);
    this.#handled.add(request);
  }

  /** A request was answered. */
  answer(request: number): void {
    if (!this.#handled.has(request)) this.broken.push(`request ${request} is answered unhandled`);
  }

  /** All is at rest. `homes`: what each node takes for the home of each key. Throws what was broken. */
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
