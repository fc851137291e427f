/**
 * Asks for a project's share of its rate limit, which holds for the whole cluster: one node's limiter
 * counts for a project, the one that the project's id and the nodes' names choose (`ownerOf`). While a
 * question is under way the next ones wait and are asked together, so that a busy project costs one
 * message at a time and not one an event.
 *
 * When nodes come or go some projects get another owner, which begins to count anew: for one window at
 * most twice the limit passes. An owner that does not answer is not waited for, and not asked for a while:
 * this node's own limiter decides, so a partition multiplies the limit by the number of sides.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { CallTimeoutError, type Node } from "@firn/firn";
import { RATE_LIMITER, type RateAnswer, rateLimiter } from "./rate_limiter.ts";

/** An owner that is slower than this is not waited for. Milliseconds. */
const OWNER_MS_MAX = 1_000;
/** The pause before it is asked again. Milliseconds. */
const SILENT_MS = 5_000;

/** Questions that will be asked together. */
interface Batch {
  wanted: number;
  readonly answers: ((granted: RateAnswer) => void)[];
  readonly shares: number[];
}

/** One node's questions. */
export class Rates {
  readonly #node: Node;
  readonly #now: () => number;
  /** Owners that did not answer, and until when they are not asked. */
  readonly #silent = new Map<string, number>();
  /** By project: what is to be asked when the question under way is answered. */
  readonly #asking = new Map<string, Batch | null>();

  constructor(node: Node, now: () => number) {
    this.#node = node;
    this.#now = now;
  }

  /** Asks whether `wanted` events of a project may pass now. */
  take(projectId: string, wanted: number): Promise<RateAnswer> {
    return new Promise((resolve) => {
      const next = this.#asking.get(projectId);
      if (next === undefined) {
        this.#asking.set(projectId, null);
        this.#ask(projectId, { wanted, answers: [resolve], shares: [wanted] });
      } else if (next === null) {
        this.#asking.set(projectId, { wanted, answers: [resolve], shares: [wanted] });
      } else {
        next.wanted += wanted;
        next.answers.push(resolve);
        next.shares.push(wanted);
      }
    });
  }

  async #ask(projectId: string, batch: Batch): Promise<void> {
    const answer = await this.#answer(projectId, batch.wanted);
    let left = answer.granted;
    for (const [i, resolve] of batch.answers.entries()) {
      const granted = Math.min(left, batch.shares[i]!);
      left -= granted;
      resolve({ granted, retryAfterMs: answer.retryAfterMs });
    }
    const next = this.#asking.get(projectId);
    if (next === null || next === undefined) return void this.#asking.delete(projectId);
    this.#asking.set(projectId, null);
    await this.#ask(projectId, next);
  }

  async #answer(projectId: string, wanted: number): Promise<RateAnswer> {
    const node = this.#node;
    const peers = node.peers();
    const owner = peers.length === 0 ? node.name : ownerOf(projectId, [node.name, ...peers]);
    if (owner !== node.name && !this.#isSilent(owner)) {
      try {
        const there = rateLimiter.at(node, { name: RATE_LIMITER, node: owner });
        return await rateLimiter.call(there, { timeout: OWNER_MS_MAX }).take(projectId, wanted);
      } catch (error) {
        // Ours decides.
        if (error instanceof CallTimeoutError) this.#silent.set(owner, this.#now() + SILENT_MS);
      }
    }
    try {
      return await rateLimiter.call(rateLimiter.at(node, RATE_LIMITER)).take(projectId, wanted);
    } catch {
      // It is being restarted: no event is rejected because of that.
      return { granted: wanted, retryAfterMs: 0 };
    }
  }

  #isSilent(owner: string): boolean {
    const until = this.#silent.get(owner);
    if (until === undefined) return false;
    if (this.#now() < until) return true;
    this.#silent.delete(owner);
    return false;
  }
}

/** Rendezvous hashing: the node with the highest hash for the project. */
export function ownerOf(projectId: string, nodes: readonly string[]): string {
  let [best, most] = [nodes[0]!, ""];
  for (const node of nodes) {
    const weight = createHash("sha256").update(`${projectId}/${node}`).digest("hex");
    if (weight > most) [best, most] = [node, weight];
  }
  return best;
}
