/**
 * Observation of a node: answers requests about its own actors, and sends requests to other nodes.
 *
 * Longer than 400 lines: it has a method for each request, of this node and of others.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import type { Call } from "../actor/call.ts";
import { describe } from "../actor/describe.ts";
import { CallTimeoutError, NoConnectionError, NoProcError } from "../actor/errors.ts";
import { reasonLine } from "../actor/exit.ts";
import { crashText, type SystemEvents } from "../actor/report.ts";
import type { System } from "../actor/system.ts";
import type { Emitter } from "../base/emitter.ts";
import { normalName } from "../mesh/name.ts";
import type { ExitReason } from "../term/exit.ts";
import { Pid } from "../term/pid.ts";
import { type ActorInfo, actorInfo } from "./actor_info.ts";
import { BusyActors } from "./busy.ts";
import { ObserveError } from "./error.ts";
import type { Recorded, Recorder } from "./recorder.ts";
import { activityText, type Warning, type WarningKind, type WarningLimits } from "./warning.ts";
import { NodeWatch } from "./watch.ts";
import {
  checkTrace,
  type TracedMessage,
  traceMessages,
  type TraceOptions,
} from "./message_trace.ts";
import { OWN_PAUSE, type PauseFactor } from "./portions.ts";
import { Probes } from "./probes.ts";
import { Profile } from "./profile.ts";
import { QUESTION_NAME, QuestionActor, type QuestionAnswer } from "./question_actor.ts";
import { type Counted, type NodeStats, stats } from "./stats.ts";
import { checkTop, top, type TopActor, type TopOptions } from "./top.ts";
import type { Sys } from "./sys.ts";
import { type TreeEntry, trees } from "./tree.ts";

/**
 * The levels of access that other nodes can have, in ascending order.
 *
 * @example
 * ```ts
 * import { OBSERVE_ACCESS } from "@firn/firn/observe";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(OBSERVE_ACCESS.indexOf("read") < OBSERVE_ACCESS.indexOf("control"), true);
 * ```
 */
export const OBSERVE_ACCESS = ["none", "read", "control"] as const;

/** One of {@linkcode OBSERVE_ACCESS}. */
export type ObserveAccess = (typeof OBSERVE_ACCESS)[number];

/**
 * Time limit of a request to another node, in milliseconds. For a measurement or a trace, its
 * duration is added.
 */
const QUESTION_MS = 5_000;

/** The parts of a node that its observation uses. */
export interface Observed extends Counted {
  readonly access: ObserveAccess;
  readonly recorder: Recorder;
  readonly diagnostics: { tick(): void };
  readonly limits: { readonly [Name in keyof WarningLimits]-?: number };
  readonly events: Emitter<ObservedEvents>;
  /** Writes an entry to the node's log. */
  log(level: "warn" | "error", message: string, event: string, data: object): void;
  readonly registry: { readonly count: number; namesOf(pid: Pid<never>): string[] };
  readonly groups: { readonly count: number; groupsOf(actor: Actor): string[] };
}

/** The events that the observation emits, or that it records in the flight recorder. */
export interface ObservedEvents extends SystemEvents {
  /** A limit was reached: see `Warning`. */
  warning: Warning;
  /** A session with a node has opened. */
  nodeup: { readonly node: string };
  /** The session with a node has ended. */
  nodedown: { readonly node: string; readonly reason: string };
  /**
   * The send queue to a node has become high (above half of its limit), or is no longer high (below
   * an eighth).
   */
  pressure: { readonly node: string; readonly high: boolean };
}

/** A method that other nodes can call. */
interface Method {
  readonly access: "read" | "control";
  run(factor: PauseFactor, ...args: never[]): Promise<unknown>;
}

/**
 * Time limit in milliseconds of the request for information on a remote actor that is part of a
 * warning.
 */
const ACTIVITY_MS = 1_000;

/** Delay in milliseconds before the node leaves on request, so that the reply is sent first. */
const LEAVE_MS = 50;

/** The option that selects the node of a request. */
export interface OnNode {
  /** The name of the node. Default: this node. */
  readonly node?: string | undefined;
}

/** Observes this node, and other nodes through their sessions. */
export class Observation implements Sys {
  /** The access that other nodes have to this node. */
  readonly access: ObserveAccess;
  readonly probes: Probes;
  readonly profile: Profile;
  readonly #observed: Observed;
  readonly #system: System;
  readonly #busy = new BusyActors();
  readonly #watch: NodeWatch;
  readonly #questions: QuestionActor;
  readonly recorder: Recorder;
  /** Called when the node stops. */
  onStop: () => void = () => {};
  /** Makes the node leave its cluster. Set by the node. */
  onLeave: () => void = () => {};
  /** Number of warnings that were emitted, by kind. */
  readonly #warnings: Partial<Record<WarningKind, number>> = {};
  #restarts = 0;
  readonly #methods: Readonly<Record<string, Method>>;

  constructor(observed: Observed) {
    this.#observed = observed;
    const { system, clock, access } = observed;
    this.#system = system;
    this.access = access;
    this.probes = new Probes(system, () => clock.now());
    this.profile = new Profile(this.probes);
    this.recorder = observed.recorder;
    system.permitsControl = access === "control";
    system.mark = observed.limits.mailbox;
    system.scheduler.sampled = (runnable, now) => this.recorder.sample(runnable, now);
    this.#watch = new NodeWatch({
      system,
      clock,
      busy: this.#busy,
      memory: () => observed.memory(),
      infoOf: (pid, name) => this.#infoOf(pid, name),
      warn: (warning) => this.#warn(warning),
      everySecond: () => observed.diagnostics.tick(),
    }, observed.limits);
    system.onStop = () => {
      this.#watch.stop();
      this.#questions.stop();
      this.onStop();
    };
    this.#listen();
    this.#methods = {
      info: { access: "read", run: (_, pid: Pid) => this.#info(pid) },
      top: {
        access: "read",
        run: (factor, options: TopOptions) =>
          top(system, clock, this.profile, options ?? {}, factor),
      },
      whereis: {
        access: "read",
        run: (_, name: string | number) =>
          Promise.resolve(
            typeof name === "number" ? system.find(name)?.pid : system.names.whereis(name),
          ),
      },
      recent: {
        access: "read",
        run: (_, since?: number) => Promise.resolve(this.recorder.since(since)),
      },
      tree: { access: "read", run: () => Promise.resolve(trees(system)) },
      stats: { access: "read", run: (factor) => this.#stats(factor) },
      state: { access: "control", run: (_, pid: Pid) => this.#state(pid) },
      suspend: { access: "control", run: (_, pid: Pid) => this.#suspend(pid, true) },
      resume: { access: "control", run: (_, pid: Pid) => this.#suspend(pid, false) },
      trace: {
        access: "control",
        // deno-lint-ignore require-await -- throws become rejections
        run: async (_, pid: Pid, options: TraceOptions) =>
          traceMessages(this.probes, clock, this.#actor(pid), options ?? {}),
      },
      leave: {
        access: "control",
        run: () => {
          // Deferred, so that the answer is sent before the node leaves.
          clock.after(LEAVE_MS, () => this.onLeave(), true);
          return Promise.resolve(true);
        },
      },
      exit: {
        access: "control",
        run: (_, pid: Pid, reason: ExitReason) => this.#exit(pid, reason),
      },
    };
    this.#questions = new QuestionActor(
      system,
      clock,
      (factor, method, args) => this.#answer(factor, method, args),
    );
  }

  /** Describes an actor of any node. */
  info(pid: Pid<never>): Promise<ActorInfo> {
    return this.ask(pid.node, "info", [pid]);
  }

  /** Returns the actors of a node with the highest values. */
  top(options: TopOptions = {}): Promise<TopActor[]> {
    return this.#system.tracked(() => {
      const { window } = checkTop(options);
      const { node, ...rest } = options;
      return this.#ask(node, "top", [rest], QUESTION_MS + window);
    });
  }

  /** Returns the supervision trees of a node. */
  tree({ node }: OnNode = {}): Promise<TreeEntry[]> {
    return this.ask(node, "tree", []);
  }

  /** Returns the statistics of a node. */
  stats({ node }: OnNode = {}): Promise<NodeStats> {
    return this.ask(node, "stats", []);
  }

  state(pid: Pid<never>): Promise<string> {
    return this.ask(pid.node, "state", [pid]);
  }

  recent(
    { node, since }: OnNode & { readonly since?: number | undefined } = {},
  ): Promise<Recorded[]> {
    return this.ask(node, "recent", [since]);
  }

  find(name: string | number, { node }: OnNode = {}): Promise<Pid | undefined> {
    return this.ask(node, "whereis", [name]);
  }

  trace(pid: Pid<never>, options: TraceOptions = {}): Promise<TracedMessage[]> {
    return this.#system.tracked(() => {
      const { ms } = checkTrace(options);
      return this.#ask(pid.node, "trace", [pid, options], ms + QUESTION_MS);
    });
  }

  leave({ node }: OnNode = {}): Promise<boolean> {
    return this.ask(node, "leave", []);
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

  /** Calls a method on a node. Rejects with {@linkcode ObserveError} if the request fails. */
  ask<T>(node: string | undefined, method: string, args: readonly unknown[]): Promise<T> {
    return this.#system.tracked(() => this.#ask(node, method, args, QUESTION_MS));
  }

  async #ask<T>(
    node: string | undefined,
    method: string,
    args: readonly unknown[],
    timeout: number,
  ): Promise<T> {
    const there = node === undefined ? this.#system.home.node : normalName(node);
    if (there === this.#system.home.node) return await this.#run(OWN_PAUSE, method, args) as T;
    let answer: QuestionAnswer;
    try {
      const to = { name: QUESTION_NAME, node: there };
      // Uses the external caller, so that a failure does not end the running actor.
      const { externalCaller } = this.#system;
      answer = await this.#system.call<unknown, QuestionAnswer>(
        to,
        { $observe: method, args },
        { timeout },
        externalCaller,
      );
    } catch (error) {
      throw unanswered(error, there);
    }
    if ("ok" in answer) return answer.ok as T;
    throw new ObserveError(answer.error.code, answer.error.message);
  }

  async #answer(
    factor: PauseFactor,
    method: string,
    args: readonly unknown[],
  ): Promise<unknown> {
    const { node } = this.#system.home;
    const needs = Object.hasOwn(this.#methods, method) ? this.#methods[method]!.access : undefined;
    if (needs === undefined) {
      throw new ObserveError("unsupported", `${node} does not know the request ${method}`);
    }
    if (OBSERVE_ACCESS.indexOf(this.access) < OBSERVE_ACCESS.indexOf(needs)) {
      const words = `${node} does not permit ${method}: its option observe is "${this.access}", ` +
        `which must be "${needs}"`;
      throw new ObserveError("denied", words);
    }
    return await this.#run(factor, method, args);
  }

  #run(factor: PauseFactor, method: string, args: readonly unknown[]): Promise<unknown> {
    return this.#methods[method]!.run(factor, ...args as never[]);
  }

  // deno-lint-ignore require-await -- throws become rejections
  async #info(pid: Pid): Promise<ActorInfo> {
    return this.#describe(this.#actor(pid));
  }

  #describe(actor: Actor): ActorInfo {
    const { registry, groups } = this.#observed;
    const ms = this.profile.of(actor)?.ms;
    return actorInfo(this.#system, actor, {
      globalNames: registry.namesOf(actor.pid as Pid),
      groups: groups.groupsOf(actor),
      handlerMs: ms === undefined ? undefined : Math.round(ms * 1000) / 1000,
      currentMs: this.#busy.ms(actor, this.#system.now()),
    });
  }

  #stats(factor: PauseFactor): Promise<NodeStats> {
    return stats(this.#observed, {
      eventLoop: this.#watch.delay,
      restarts: this.#restarts,
      warnings: { ...this.#warnings },
    }, factor);
  }

  /**
   * Returns the information about the actor of a pid. If `name` is passed, about the actor that is
   * registered under `name` on the node of the pid instead. Resolves with undefined on failure.
   */
  async #infoOf(pid: Pid, name?: string): Promise<ActorInfo | undefined> {
    try {
      const found = name === undefined
        ? pid
        : await this.#ask<Pid | undefined>(pid.node, "whereis", [name], ACTIVITY_MS);
      return found && await this.#ask<ActorInfo>(found.node, "info", [found], ACTIVITY_MS);
    } catch {
      return undefined;
    }
  }

  #warn(warning: Warning): void {
    const { events, log } = this.#observed;
    const { kind, message } = warning;
    this.#warnings[kind] = (this.#warnings[kind] ?? 0) + 1;
    log("warn", message, "warning", warning);
    if (events.has("warning")) events.emit("warning", warning);
  }

  /** Listens to events of the node: records them, and emits warnings for some of them. */
  #listen(): void {
    const { events } = this.#observed;
    const { recorder } = this;
    events.on("nodeup", ({ node }) => recorder.record("nodeup", node));
    events.on("nodedown", ({ node, reason }) => recorder.record("nodedown", `${node}: ${reason}`));
    events.on("crash", (crash) => {
      const text = crashText({ ...crash, message: undefined });
      recorder.record("crash", text, crash.pid, "error");
    });
    events.on("restart", ({ child, pid, reason, next }) => {
      if (next.startsWith("restarts")) this.#restarts++;
      recorder.record("restart", `${child}: ${reasonLine(reason)}: ${next}`, pid, "warn");
    });
    events.on("mailbox", ({ pid, length, dropped }) => {
      if (dropped) return recorder.record("mailbox", `a message was dropped`, pid);
      const actor = this.#system.actorOf(pid);
      if (actor === undefined) return;
      const activity = this.#describe(actor);
      const message = `the mailbox of ${actor.label} holds ${length} messages: ${
        activityText(activity)
      }`;
      this.#warn({ kind: "mailbox", message, pids: [pid], ms: undefined, size: length, activity });
    });
    events.on("pressure", ({ node, high }) => {
      if (!high) return;
      for (const session of this.#observed.mesh.sessions()) {
        if (session.met.name !== node) continue;
        const { queued } = session.pressure();
        const message = `${node} reads slowly: ${queued} bytes wait for it`;
        this.#warn({
          kind: "busyLink",
          message,
          pids: [],
          ms: undefined,
          size: queued,
          activity: undefined,
        });
      }
    });
  }

  async #state(pid: Pid): Promise<string> {
    const actor = this.#actor(pid);
    const children = this.#system.supervisors.childrenOf(actor.pid as Pid);
    if (children !== undefined) return describe(children);
    const to = actor.pid as unknown as Pid<Call<unknown, unknown>>;
    const { externalCaller } = this.#system;
    const state = this.#system.call(to, { $state: "get" }, { timeout: 2_000 }, externalCaller);
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
    if (!(pid instanceof Pid)) throw new ObserveError("badarg", `${describe(pid)} is not a pid`);
    const actor = this.#system.actorOf(this.#system.here(pid));
    if (actor !== undefined) return actor;
    throw new ObserveError("noproc", `there is no actor ${pid}: it has exited, or never existed`);
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
