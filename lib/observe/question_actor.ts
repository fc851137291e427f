/**
 * Answers requests of other nodes for observation. It is a part of the runtime that is called like
 * an actor, under a reserved name, so that no additional message types between nodes are needed.
 *
 *     asker ──call { name: "$observe", node }──▶ QuestionActor ──▶ the method, if permitted
 *       ▲                                             │
 *       └───────── { ok } or { error } ◀──────────────┘
 *
 * Requests use at most a tenth of the node's time, which the asking nodes share equally. Work on
 * many actors is done in portions of a millisecond with pauses (`portions.ts`). After each request,
 * the next request of the same node waits for nine times the duration of the previous one. At most
 * {@linkcode QUESTIONS_MAX} requests of a node run or wait at the same time. Further requests are
 * rejected with the code "busy". The lists in replies have a maximum length.
 *
 * @module
 */
import { Call } from "../actor/call.ts";
import { ActorRef } from "../actor/actor_ref.ts";
import type { System } from "../actor/system.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { Pid } from "../term/pid.ts";
import { ObserveError, type ObserveFailure } from "./error.ts";
import { PAUSE_FACTOR, type PauseFactor } from "./portions.ts";

/** The reserved name of the actor. */
export const QUESTION_NAME = "$observe";

/** Maximum number of requests of one node that run or wait at the same time. */
export const QUESTIONS_MAX = 8;

/**
 * Maximum number of asking nodes whose state is kept. When it is exceeded, the state of nodes
 * without requests is removed.
 */
const ASKERS_MAX = 64;

/** A request of another node: a method and its arguments. */
export interface Question {
  readonly $observe: string;
  readonly args: readonly unknown[];
}

/** The reply to a request: the result, or the code and message of the error. */
export type QuestionAnswer =
  | { readonly ok: unknown }
  | { readonly error: { readonly code: ObserveFailure; readonly message: string } };

/** Runs the method of a request in portions. `factor` determines the pauses between them. */
type Answering = (
  factor: PauseFactor,
  method: string,
  args: readonly unknown[],
) => Promise<unknown>;

/** The requests of one node, and their state. */
interface Asker {
  readonly waiting: Call[];
  running: number;
  /** Time until which the next request of this node waits, on the node's clock. */
  restsUntil: number;
  timer: Timer | undefined;
  readonly factor: PauseFactor;
}

/** Receives the requests, queues them per node, and replies. */
export class QuestionActor extends ActorRef {
  readonly pid: Pid<unknown>;
  readonly isAlive = true;
  readonly #clock: Clock;
  readonly #answer: Answering;
  readonly #askers = new Map<string, Asker>();

  /** Registers the actor under its reserved name. */
  constructor(system: System, clock: Clock, answer: Answering) {
    super();
    this.pid = new Pid(system.home, 0, this);
    this.#clock = clock;
    this.#answer = answer;
    system.names.reserve(QUESTION_NAME, this.pid as Pid<never>);
  }

  override get label(): string {
    return QUESTION_NAME;
  }

  deliver(message: unknown): void {
    if (!(message instanceof Call)) return;
    const { $observe, args } = (message.request ?? {}) as Partial<Question>;
    if (typeof $observe !== "string" || !Array.isArray(args)) {
      return message.reply(failure(new ObserveError("unsupported", "this is not a request")));
    }
    const asker = this.#asker((message as { home?: { readonly node: string } }).home?.node ?? "");
    if (asker.waiting.length + asker.running >= QUESTIONS_MAX) {
      const words = `${this.pid.node} has ${QUESTIONS_MAX} requests of this node: try again later`;
      return message.reply(failure(new ObserveError("busy", words)));
    }
    asker.waiting.push(message);
    this.#next(asker);
  }

  /** Drops all waiting requests without a reply. */
  stop(): void {
    for (const { timer } of this.#askers.values()) timer?.cancel();
    this.#askers.clear();
  }

  #asker(node: string): Asker {
    let asker = this.#askers.get(node);
    if (asker !== undefined) return asker;
    if (this.#askers.size >= ASKERS_MAX) {
      const now = this.#clock.now();
      for (const [name, one] of this.#askers) {
        if (!isActive(one) && one.restsUntil <= now) this.#askers.delete(name);
      }
    }
    const factor = (): number => (PAUSE_FACTOR + 1) * this.#active * Math.max(1, made.running) - 1;
    const made: Asker = { waiting: [], running: 0, restsUntil: 0, timer: undefined, factor };
    this.#askers.set(node, asker = made);
    return asker;
  }

  /** Number of nodes that have requests. At least 1. */
  get #active(): number {
    let count = 0;
    for (const asker of this.#askers.values()) if (isActive(asker)) count++;
    return Math.max(1, count);
  }

  #next(asker: Asker): void {
    while (asker.timer === undefined && asker.waiting.length > 0) {
      const ms = asker.restsUntil - this.#clock.now();
      if (ms > 0) {
        asker.timer = this.#clock.after(ms, () => {
          asker.timer = undefined;
          this.#next(asker);
        });
        return;
      }
      this.#run(asker, asker.waiting.shift()!);
    }
  }

  #run(asker: Asker, call: Call): void {
    const { $observe, args } = call.request as Question;
    asker.running++;
    const began = this.#clock.now();
    const answer = this.#answer(asker.factor, $observe, args);
    this.#rest(asker, began);
    answer.then((ok): QuestionAnswer => ({ ok }), failure).then((answer) => {
      const done = this.#clock.now();
      call.reply(answer);
      this.#rest(asker, done);
      asker.running--;
      this.#next(asker);
    });
  }

  /**
   * Delays the next request of a node by nine times the time since `began`, multiplied by the
   * number of nodes that have requests.
   */
  #rest(asker: Asker, began: number): void {
    const now = this.#clock.now();
    const pauseMs = (now - began) * PAUSE_FACTOR * this.#active;
    asker.restsUntil = Math.max(now, asker.restsUntil) + pauseMs;
  }

  linkBroke(): void {}
  exitSignal(): void {}
  down(): void {}
  end(): void {}
}

function isActive({ waiting, running }: Asker): boolean {
  return waiting.length + running > 0;
}

function failure(error: unknown): QuestionAnswer {
  const code = error instanceof ObserveError ? error.code : "unsupported";
  return { error: { code, message: error instanceof Error ? error.message : String(error) } };
}
