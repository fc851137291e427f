/**
 * Checks singletons. During faults, no copy starts while another runs if some node is connected to
 * the nodes of both. With a quorum or a lease, at most one copy runs in the whole cluster, and
 * tokens increase. When everything is idle, exactly one copy runs.
 */
import { KNOWN_MS, type Sessions, TokenChecker } from "./sessions.ts";

interface Run {
  readonly name: string;
  readonly node: string;
  readonly at: number;
}

/** Checks singletons. */
export class SingletonChecker {
  readonly #sessions: Sessions;
  readonly #runs = new Set<Run>();
  readonly #tokens: TokenChecker;
  readonly broken: string[] = [];

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
    this.#tokens = new TokenChecker(sessions);
  }

  /** Records that a singleton starts. Returns a function that records its end. */
  start(
    name: string,
    node: string,
    token: number | undefined,
    isExclusive: boolean,
    now: number,
  ): () => void {
    for (const other of this.#runs) {
      if (other.name !== name || other.node === node) continue;
      const both = `${name} runs on ${other.node} and on ${node}`;
      if (this.#sessions.isStale(other.node, now) || this.#sessions.isStale(node, now)) continue;
      if (isExclusive) this.broken.push(`${both}, at ${now}`);
      else if (now - other.at > KNOWN_MS) {
        const known = this.#sessions.between(other.node, node, now - KNOWN_MS);
        if (known !== undefined) this.broken.push(`${both}, and ${known} knew both, at ${now}`);
      }
    }
    if (isExclusive) {
      // A child that crashes is restarted with the same token.
      const wrong = this.#tokens.take(name, node, token, true);
      if (wrong !== undefined) this.broken.push(`${wrong}, at ${now}`);
    }
    const run = { name, node, at: now };
    this.#runs.add(run);
    return () => void this.#runs.delete(run);
  }

  /** Records that a node has crashed, with its actors. */
  end(node: string): void {
    for (const run of [...this.#runs]) if (run.node === node) this.#runs.delete(run);
  }

  /** Throws a description of the violations. Called when everything is idle. */
  check(
    names: readonly string[],
    found: ReadonlyMap<string, readonly (string | undefined)[]>,
  ): void {
    if (this.broken.length > 0) throw new Error(this.broken.slice(0, 5).join("\n"));
    for (const name of names) {
      const nodes = [...this.#runs].filter((run) => run.name === name).map(({ node }) => node);
      if (nodes.length !== 1) {
        throw new Error(`${name} runs on ${nodes.join(" and ") || "no node"}`);
      }
      for (const node of found.get(name) ?? []) {
        if (node !== nodes[0]) {
          throw new Error(`${name} runs on ${nodes[0]}, but is found on ${node}`);
        }
      }
    }
  }
}
