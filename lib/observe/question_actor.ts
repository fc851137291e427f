/**
 * Answers requests of other nodes for observation. It is a part of the runtime that is called like
 * an actor, under a reserved name, so that no additional message types between nodes are needed.
 *
 *     asker ──call { name: "$observe", node }──▶ QuestionActor ──▶ the method, if permitted
 *       ▲                                             │
 *       └───────── { ok } or { error } ◀──────────────┘
 *
 * Cost: at most {@linkcode QUESTIONS_MAX} requests are processed at once, each in portions of a
 * millisecond with pauses of nine milliseconds (`portions.ts`), and lists are limited.
 *
 * @module
 */
import { Call } from "../actor/call.ts";
import { ActorRef } from "../actor/actor_ref.ts";
import type { System } from "../actor/system.ts";
import { Pid } from "../term/pid.ts";
import { ObserveError, type ObserveFailure } from "./error.ts";

/** The reserved name. */
export const QUESTION_NAME = "$observe";

/** Maximum number of requests that are processed at once. */
export const QUESTIONS_MAX = 8;

/** A request of another node. */
export interface Question {
  readonly $observe: string;
  readonly args: readonly unknown[];
}

/** The reply to a request. */
export type QuestionAnswer =
  | { readonly ok: unknown }
  | { readonly error: { readonly code: ObserveFailure; readonly message: string } };

/** Receives the requests. */
export class QuestionActor extends ActorRef {
  readonly pid: Pid<unknown>;
  readonly isAlive = true;
  readonly #answer: (method: string, args: readonly unknown[]) => Promise<unknown>;
  #pending = 0;

  /** Registers the reserved name. */
  constructor(
    system: System,
    answer: (method: string, args: readonly unknown[]) => Promise<unknown>,
  ) {
    super();
    this.pid = new Pid(system.home, 0, this);
    this.#answer = answer;
    system.names.reserve(QUESTION_NAME, this.pid as Pid<never>);
  }

  override get label(): string {
    return QUESTION_NAME;
  }

  deliver(message: unknown): void {
    if (!(message instanceof Call)) return;
    const { $observe: method, args } = (message.request ?? {}) as Partial<Question>;
    if (typeof method !== "string" || !Array.isArray(args)) {
      return message.reply(failure(new ObserveError("unsupported", "this is no question")));
    }
    if (this.#pending >= QUESTIONS_MAX) {
      const words = `${this.pid.node} answers ${QUESTIONS_MAX} questions already: ask again later`;
      return message.reply(failure(new ObserveError("busy", words)));
    }
    this.#pending++;
    this.#answer(method, args)
      .then((ok): QuestionAnswer => ({ ok }), failure)
      .then((answer) => {
        this.#pending--;
        message.reply(answer);
      });
  }

  linkBroke(): void {}
  exitSignal(): void {}
  down(): void {}
  end(): void {}
}

function failure(error: unknown): QuestionAnswer {
  const code = error instanceof ObserveError ? error.code : "unsupported";
  return { error: { code, message: error instanceof Error ? error.message : String(error) } };
}
