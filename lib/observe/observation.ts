/**
 * What a node knows about itself and others: answers questions about its own actors, and asks other
 * nodes about theirs.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import type { Call } from "../actor/call.ts";
import { describe } from "../actor/describe.ts";
import { CallTimeoutError, NoConnectionError, NoProcError } from "../actor/errors.ts";
import type { System } from "../actor/system.ts";
import { normalName } from "../mesh/name.ts";
import type { ExitReason } from "../term/exit.ts";
import { Pid } from "../term/pid.ts";
import { type ActorInfo, actorInfo } from "./actor_info.ts";
import { BusyActors } from "./busy.ts";
import { ObserveError } from "./error.ts";
import { Probes } from "./probes.ts";
import { Profile } from "./profile.ts";
import { QUESTION_NAME, QuestionActor, type QuestionAnswer } from "./question_actor.ts";
import { type Counted, type NodeStats, stats } from "./stats.ts";
import { checkTop, top, type TopActor, type TopOptions } from "./top.ts";
import type { Sys } from "./sys.ts";
import { type TreeEntry, trees } from "./tree.ts";

/** What other nodes may do with this one. */
export const OBSERVE_ACCESS = ["none", "read", "control"] as const;

/** One of {@linkcode OBSERVE_ACCESS}. */
export type ObserveAccess = (typeof OBSERVE_ACCESS)[number];

/** How long a question to another node waits. Milliseconds, beside the window of a measurement. */
const QUESTION_MS = 5_000;

/** What an observation needs of its node. */
export interface Observed extends Counted {
  readonly access: ObserveAccess;
  readonly registry: { readonly count: number; namesOf(pid: Pid<never>): string[] };
  readonly groups: { readonly count: number; groupsOf(actor: Actor): string[] };
}

/** A method that other nodes can ask for. */
interface Method {
  readonly access: "read" | "control";
  run(...args: never[]): Promise<unknown>;
}

/** The node of a question. */
export interface OnNode {
  /** The node that is asked. Default: this one. */
  readonly node?: string | undefined;
}

/** Observes one node, and through it others. */
export class Observation implements Sys {
  /** What other nodes may do with this one. */
  readonly access: ObserveAccess;
  readonly probes: Probes;
  readonly profile: Profile;
  readonly #observed: Observed;
  readonly #system: System;
  readonly #busy = new BusyActors();
  readonly #methods: Readonly<Record<string, Method>>;

  constructor(observed: Observed) {
    this.#observed = observed;
    const { system, clock, access } = observed;
    this.#system = system;
    this.access = access;
    this.probes = new Probes(system.scheduler, () => clock.now());
    this.profile = new Profile(this.probes);
    this.#methods = {
      info: { access: "read", run: (pid: Pid) => this.#info(pid) },
      top: {
        access: "read",
        run: (options: TopOptions) => top(system, clock, this.profile, options ?? {}),
      },
      tree: { access: "read", run: () => Promise.resolve(trees(system)) },
      stats: { access: "read", run: () => this.#stats() },
      state: { access: "control", run: (pid: Pid) => this.#state(pid) },
      suspend: { access: "control", run: (pid: Pid) => this.#suspend(pid, true) },
      resume: { access: "control", run: (pid: Pid) => this.#suspend(pid, false) },
      exit: {
        access: "control",
        run: (pid: Pid, reason: ExitReason) => this.#exit(pid, reason),
      },
    };
    new QuestionActor(system, (method, args) => this.#answer(method, args));
  }

  /** Describes an actor of any node. */
  info(pid: Pid<never>): Promise<ActorInfo> {
    return this.ask(pid.node, "info", [pid]);
  }

  /** Returns the actors of a node that have most of something. */
  async top(options: TopOptions = {}): Promise<TopActor[]> {
    const { window } = checkTop(options);
    const { node, ...rest } = options;
    return await this.ask(node, "top", [rest], QUESTION_MS + window);
  }

  /** Returns the supervision trees of a node. */
  tree({ node }: OnNode = {}): Promise<TreeEntry[]> {
    return this.ask(node, "tree", []);
  }

  /** Returns the counts of a node. */
  stats({ node }: OnNode = {}): Promise<NodeStats> {
    return this.ask(node, "stats", []);
  }

  state(pid: Pid<never>): Promise<string> {
    return this.ask(pid.node, "state", [pid]);
  }

  suspend(pid: Pid<never>): Promise<boolean> {
    return this.ask(pid.node, "suspend", [pid]);
  }

  resume(pid: Pid<never>): Promise<boolean> {
    return this.ask(pid.node, "resume", [pid]);
  }

  exit(pid: Pid<never>, reason: ExitReason = "kill"): Promise<boolean> {
    return this.ask(pid.node, "exit", [pid, reason]);
  }

  /** Asks a node. Rejects with {@linkcode ObserveError}. */
  async ask<T>(
    node: string | undefined,
    method: string,
    args: readonly unknown[],
    timeout: number = QUESTION_MS,
  ): Promise<T> {
    const there = node === undefined ? this.#system.home.node : normalName(node);
    if (there === this.#system.home.node) return await this.#run(method, args) as T;
    let answer: QuestionAnswer;
    try {
      const to = { name: QUESTION_NAME, node: there };
      // From the program outside of actors, whatever runs now: a failure must not end it.
      const { outsider } = this.#system;
      answer = await this.#system.call<unknown, QuestionAnswer>(
        to,
        { $observe: method, args },
        { timeout },
        outsider,
      );
    } catch (error) {
      throw unanswered(error, there);
    }
    if ("ok" in answer) return answer.ok as T;
    throw new ObserveError(answer.error.code, answer.error.message);
  }

  async #answer(method: string, args: readonly unknown[]): Promise<unknown> {
    const { node } = this.#system.home;
    const needs = Object.hasOwn(this.#methods, method) ? this.#methods[method]!.access : undefined;
    if (needs === undefined) {
      throw new ObserveError("unsupported", `${node} does not know the question ${method}`);
    }
    if (OBSERVE_ACCESS.indexOf(this.access) < OBSERVE_ACCESS.indexOf(needs)) {
      const words = `${node} does not permit ${method}: its option observe is "${this.access}", ` +
        `which must be "${needs}"`;
      throw new ObserveError("denied", words);
    }
    return await this.#run(method, args);
  }

  #run(method: string, args: readonly unknown[]): Promise<unknown> {
    return this.#methods[method]!.run(...args as never[]);
  }

  // deno-lint-ignore require-await -- throws become rejections
  async #info(pid: Pid): Promise<ActorInfo> {
    const actor = this.#actor(pid);
    const { registry, groups } = this.#observed;
    const ms = this.profile.of(actor)?.ms;
    return actorInfo(this.#system, actor, {
      globalNames: registry.namesOf(actor.pid as Pid),
      groups: groups.groupsOf(actor),
      handlerMs: ms === undefined ? undefined : Math.round(ms * 1000) / 1000,
      currentMs: this.#busy.ms(actor, this.#system.now()),
    });
  }

  #stats(): Promise<NodeStats> {
    const eventLoop = { last: 0, mean: 0, max: 0 };
    return stats(this.#observed, { eventLoop, restarts: 0, warnings: {} });
  }

  async #state(pid: Pid): Promise<string> {
    const actor = this.#actor(pid);
    const children = this.#system.childrenOf(actor.pid as Pid);
    if (children !== undefined) return describe(children);
    const to = actor.pid as unknown as Pid<Call<unknown, unknown>>;
    const { outsider } = this.#system;
    const state = this.#system.call(to, { $state: "get" }, { timeout: 2_000 }, outsider);
    try {
      return describe(await state);
    } catch (error) {
      const words = `${actor.label} did not return its state: ${(error as Error).message}`;
      throw new ObserveError("unsupported", words);
    }
  }

  // deno-lint-ignore require-await -- throws become rejections
  async #suspend(pid: Pid, on: boolean): Promise<boolean> {
    const actor = this.#actor(pid);
    return on ? actor.suspend() : actor.resume();
  }

  // deno-lint-ignore require-await -- throws become rejections
  async #exit(pid: Pid, reason: ExitReason): Promise<boolean> {
    const actor = this.#actor(pid);
    this.#system.exit(actor.pid as Pid, reason);
    return true;
  }

  #actor(pid: unknown): Actor {
    if (!(pid instanceof Pid)) throw new ObserveError("badarg", `${describe(pid)} is no pid`);
    const actor = this.#system.actorOf(this.#system.here(pid));
    if (actor !== undefined) return actor;
    throw new ObserveError("noproc", `there is no actor ${pid}: it has exited, or never was`);
  }
}

function unanswered(error: unknown, node: string): ObserveError {
  if (error instanceof NoProcError) {
    return new ObserveError("unsupported", `${node} cannot be observed: it runs an older version`);
  }
  if (error instanceof NoConnectionError) {
    return new ObserveError("noconnection", `there is no session with ${node}`);
  }
  if (error instanceof CallTimeoutError) {
    return new ObserveError("timeout", `${node} did not answer in time: ${error.message}`);
  }
  return new ObserveError("unsupported", `${node}: ${(error as Error).message}`);
}
