/**
 * Asks how many events of a project are allowed by its rate limit, which applies to the whole
 * cluster: the limiter of one node, the owner, counts the events of a project. The project's id and
 * the names of the nodes determine the owner (`ownerOf`). While a request is pending, further
 * requests wait and are sent together, so that a busy project costs one message at a time instead
 * of one per event.
 *
 * When nodes join or leave, some projects get another owner, which starts counting from zero: for
 * one window, at most twice the limit is allowed. If the owner does not answer in time, this node's
 * own limiter decides, and the owner is not asked for some seconds. A partition therefore
 * multiplies the limit by the number of sides.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { CallTimeoutError, type Node } from "@firn/firn";
import { RATE_LIMITER, type RateAnswer, rateLimiter } from "./rate_limiter.ts";

/** Time limit in milliseconds for the answer of the node that counts the events of a project. */
const OWNER_MS_MAX = 1_000;
/** The pause before an owner that did not answer is asked again, in milliseconds. */
const SILENT_MS = 5_000;

/** Requests that will be sent together. */
interface Batch {
  wanted: number;
  readonly answers: ((granted: RateAnswer) => void)[];
  readonly shares: number[];
}

/** Sends the requests of one node to the owners of projects. */
export class Rates {
  readonly #node: Node;
  readonly #now: () => number;
  /** Owners that did not answer, with the time from which they may be asked again. */
  readonly #silent = new Map<string, number>();
  /**
   * For each project with a pending request, the batch to send when that request is answered. Null
   * if there is no batch yet.
   */
  readonly #asking = new Map<string, Batch | null>();

  constructor(node: Node, now: () => number) {
    this.#node = node;
    this.#now = now;
  }

  /** Asks how many of `wanted` events of a project are allowed now. */
  take(projectId: string, wanted: number): Promise<RateAnswer> {
    return new Promise((resolve) => {
      const next = this.#asking.get(projectId);
      if (next === undefined) {
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

  /**
   * Sends a batch, and then the batches that were collected while a request was pending. This is a
   * loop, because a recursion would keep all batches in memory while the project is busy.
   */
  async #ask(projectId: string, first: Batch): Promise<void> {
    for (let batch: Batch | null | undefined = first; batch; batch = this.#asking.get(projectId)) {
      this.#asking.set(projectId, null);
      const answer = await this.#answer(projectId, batch.wanted);
      let left = answer.granted;
      for (const [i, resolve] of batch.answers.entries()) {
        const granted = Math.min(left, batch.shares[i]!);
        left -= granted;
        resolve({ granted, retryAfterMs: answer.retryAfterMs });
      }
    }
    this.#asking.delete(projectId);
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
        // The owner did not answer, so this node's own limiter decides.
        if (error instanceof CallTimeoutError) this.#silent.set(owner, this.#now() + SILENT_MS);
      }
    }
    try {
      return await rateLimiter.call(rateLimiter.at(node, RATE_LIMITER)).take(projectId, wanted);
    } catch {
      // While this node's limiter is being restarted, all events are allowed.
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

/** Returns the owner of a project by rendezvous hashing: the node with the highest hash. */
export function ownerOf(projectId: string, nodes: readonly string[]): string {
  let [best, most] = [nodes[0]!, ""];
  for (const node of nodes) {
    const weight = createHash("sha256").update(`${projectId}/${node}`).digest("hex");
    if (weight > most) [best, most] = [node, weight];
  }
  return best;
}
