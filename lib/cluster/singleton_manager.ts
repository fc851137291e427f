/**
 * Implements the manager of a singleton: the actor on each participating node that competes for the
 * lock, and runs the child while it has the lock.
 *
 *     standby ──the lock is free──▶ competing ──it is ours──▶ holding: a supervisor, and in it the child
 *        ▲                             │ it is not               │ the lock is another's, after a partition
 *        └─────────────────────────────┴─────────────────────────┘ no quorum · the lease is lost
 *                                                                  the supervisor has given up
 *
 * The manager does not depend on the content of messages: after each message, it reads which node
 * holds the lock. It starts its supervisor if it has the lock, and stops it otherwise. While the
 * child starts, the manager continues to renew its lease, and ends the start if it loses the lock.
 * `README.md` compares the policies.
 *
 * **Planned moves.** When a node stops taking part, its manager stops the child, and calls the
 * managers of the other nodes, one after another, until one of them has taken over the lock. The
 * state that the child has passed to `handover` is passed to the next child's `start`. It is sent
 * after the child has exited, so it is complete.
 *
 * Longer than 400 lines: it is one state machine.
 *
 * @module
 */
import { Call } from "../actor/call.ts";
import { Exit } from "../actor/exit.ts";
import type { Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import type { LocalChildSpec, Started } from "../otp/child.ts";
import { Supervisor } from "../otp/supervisor.ts";
import { Pid } from "../term/pid.ts";
import { HeldLease } from "./lease.ts";
import type {
  Incarnation,
  LockTerms,
  SingletonChild,
  SingletonNames,
  SingletonOptions,
} from "./singleton_definition.ts";

/**
 * Delay before a manager tries again to acquire the lock, or to start its child, in milliseconds.
 */
const RETRY_MS = 500;

/**
 * Time in milliseconds after which a child is killed that is being stopped because its node has lost
 * the lock.
 */
const STOP_MS = 1_000;

/** Time limit for each manager to which the state of a child is offered, in milliseconds. */
const HANDOVER_MS_MAX = 5_000;

/**
 * Time for which a leaving node waits for a new node that can take over the child, if the known
 * nodes could not, in milliseconds.
 */
const NEWCOMER_MS = 1_000;

/** Interval at which a leaving node checks for a new node, in milliseconds. */
const NEWCOMER_POLL_MS = 10;

/** Maximum number of earlier managers that are listed when a state is handed over. */
const PAST_MAX = 16;

/** The request from one manager to another in a planned move. */
interface Handover {
  readonly singleton: string;
  readonly state: unknown;
  /** The requesting manager. Older nodes do not send it. */
  readonly from?: Pid<never> | undefined;
  /** The managers that have handed over this state before `from`. */
  readonly past?: readonly Pid<never>[] | undefined;
}

/** One run of the child, from the start of its supervisor until the supervisor has stopped. */
interface Run {
  /** The supervisor; `undefined` until it starts the child. */
  pid: Pid<never> | undefined;
  /** Whether the child is being started or restarted. */
  isStarting: boolean;
  /** Whether the child must not run any more. */
  isOver: boolean;
}

/** The actor on each participating node that competes for the lock and runs the child. */
export class SingletonManager {
  /** The reason why the child has not been found yet. */
  obstacle = "no node runs it";
  /** Whether the child was not found in time, so that a start in progress must be ended. */
  isGivenUp = false;
  readonly #self: Self<unknown>;
  readonly #system: System;
  readonly #child: SingletonChild;
  readonly #options: SingletonOptions;
  readonly #names: SingletonNames;
  /** The supervisor of the child, which runs while this node has the lock. */
  #supervisor: Supervisor | undefined = undefined;
  #running: Pid<never> | undefined = undefined;
  #run: Run = { pid: undefined, isStarting: false, isOver: true };
  /**
   * The start in progress. Resolves when it has ended. `undefined` if the child is not being
   * started.
   */
  #starting: Promise<void> | undefined = undefined;
  /** The error with which the last start failed. Cleared when it is handled. */
  #failure: Error | undefined = undefined;
  /**
   * Requests with which other nodes offer the lock to this node. They are answered when the start
   * in progress has ended.
   */
  readonly #offers: Call<unknown, unknown>[] = [];
  #lease: HeldLease | undefined = undefined;
  /** The state that another node has handed over for the next child on this node. */
  #state: unknown = undefined;
  /** The managers that had the state before it was handed over to this node. */
  #past: readonly Pid<never>[] = [];
  /**
   * The last argument of the running child's `handover`. It is handed over when this node leaves.
   */
  #left: { state: unknown } | undefined = undefined;
  /** The time before which the manager does not try to acquire the lock again. */
  #restsUntil = 0;
  /** The time before which the manager does not register its child again. */
  #namesAt = 0;
  /**
   * The unreachable node that has the lock, and the number of consecutive answers that have named
   * it.
   */
  #outOfReach = { owner: "", times: 0 };

  constructor(
    self: Self<unknown>,
    child: SingletonChild,
    options: SingletonOptions,
    names: SingletonNames,
  ) {
    this.#self = self;
    this.#system = systemOf(self.pid);
    this.#child = child;
    this.#options = options;
    this.#names = names;
  }

  /**
   * Runs the manager until it is stopped. Calls `settled` when the manager has determined which
   * node runs the child.
   */
  async live(settled: () => void): Promise<void> {
    const self = this.#self;
    self.trapExit = true;
    this.#names.monitor(self.pid);
    let isSettled = false;
    let isLate = false;
    while (true) {
      const isDecided = await this.#act(false);
      if (this.#starting === undefined) {
        for (const offer of this.#offers.splice(0)) offer.reply(this.#supervisor !== undefined);
      }
      // A child that has ended permanently has no name. The manager therefore stops waiting for the
      // name after one timeout.
      const isFound = isDecided && (isLate || this.#names.whereis() !== undefined);
      if (isFound || this.#outOfReach.times > 1) {
        isSettled = true;
        settled();
      }
      // The manager checks its state after any message. A message means that the lock or the
      // child's name has changed, that the supervisor has ended, or that a stop was requested.
      const patience = isDecided && isSettled ? Infinity : RETRY_MS;
      const timeout = Math.min(patience, this.#lease?.renewMs ?? Infinity);
      const message: unknown = await self.receive({ timeout });
      isLate = message === undefined;
      if (message instanceof Call) await this.#asked(message);
      if (!(message instanceof Exit)) continue;
      if (message.from.equals(this.#run.pid)) {
        // The supervisor may have ended while the start was still in progress.
        await this.#starting;
        if (this.#run.isOver) continue;
        this.#run.isOver = true;
        this.#supervisor = undefined;
        await this.#yield();
      } else if (message.from.equals(this.#system.pid)) break;
    }
    await this.#leave();
    // The lock is freed when this actor exits, which is after the child has stopped.
  }

  /**
   * Starts or stops the child as needed. Returns whether it is decided which node runs the child.
   */
  async #act(isHandedOver: boolean): Promise<boolean> {
    const { pid } = this.#self;
    if (this.#lease !== undefined && !await this.#lease.renew()) {
      await this.#stop(this.#stopMs);
      await this.#yield();
    }
    // The child is stopped first, because acquiring the lock lasts until all peers have answered or
    // were disconnected.
    if (this.#isStrict && !this.#isHolder) await this.#stop(this.#stopMs);
    if (this.#failure !== undefined) {
      this.obstacle = `it cannot be started: ${this.#failure.message}`;
      this.#failure = undefined;
      await this.#yield();
    }
    if (isHandedOver || (this.#names.holder() === undefined && !this.#rests())) {
      await this.#compete(isHandedOver);
    }
    const holder = this.#names.holder();
    if (holder?.equals(pid)) {
      if (this.#supervisor !== undefined) return this.#isNamed();
      if (this.#starting !== undefined) return false;
      // Acquiring the lock may have taken longer than the lease is valid.
      if (this.#options.lease === undefined || await this.#lease?.renew()) this.#start();
      else await this.#yield();
      return false;
    }
    await this.#stop(this.#isStrict ? this.#stopMs : Infinity);
    await this.#release();
    if (holder !== undefined) {
      this.#state = undefined;
      this.#outOfReach = { owner: "", times: 0 };
      this.obstacle = `it is being started on ${holder.node}`;
    }
    return holder !== undefined;
  }

  /**
   * Whether a child has only a limited time to stop when this node has lost the right to run it.
   */
  get #isStrict(): boolean {
    return this.#options.quorum !== undefined || this.#options.lease !== undefined;
  }

  /** Milliseconds within which a child must stop when this node has lost the right to run it. */
  get #stopMs(): number {
    return Math.min(STOP_MS, this.#lease?.stopMs ?? Infinity);
  }

  get #isHolder(): boolean {
    return this.#names.holder()?.equals(this.#self.pid) ?? false;
  }

  /** Tries to acquire the lock. With the option `lease`, acquires the lease first. */
  async #compete(isHandedOver: boolean): Promise<void> {
    const { pid } = this.#self;
    const { lease, quorum } = this.#options;
    if (lease !== undefined && this.#lease === undefined) {
      const { name } = this.#names;
      this.#lease = await HeldLease.acquire(lease, name, pid.node, this.#system);
      if (this.#lease === undefined) {
        this.obstacle = "another node has the lease, or it cannot be acquired";
        return this.#rest();
      }
    }
    let refused: string | undefined;
    const terms: LockTerms = {
      quorum,
      token: this.#lease?.token,
      replace: isHandedOver || lease !== undefined,
      refused: (owner) => refused = owner,
    };
    let obstacle = "the nodes that were asked have not granted it";
    const isOurs = await this.#names.lock(pid, terms).catch((error) => {
      obstacle = error.message;
      return false;
    });
    if (isOurs || this.#names.holder() !== undefined) return;
    if (refused !== undefined) obstacle = `it is on ${refused}, which cannot be reached`;
    this.obstacle = obstacle;
    const { owner, times } = this.#outOfReach;
    this.#outOfReach = refused === undefined
      ? { owner: "", times: 0 }
      : { owner: refused, times: refused === owner ? times + 1 : 1 };
    // A peer may not have received the message yet that the lock was freed. The next attempt
    // therefore follows later.
    this.#rest();
  }

  /** Begins to start the child. When the start has ended, the manager receives a message. */
  #start(): void {
    const run: Run = this.#run = { pid: undefined, isStarting: false, isOver: false };
    const incarnation = { token: this.#names.token(), state: this.#state };
    // If the start ends before the child has received the state, the state is handed over again.
    this.#left = { state: this.#state };
    this.#state = undefined;
    this.obstacle = "it is being started on this node";
    const child: LocalChildSpec = {
      ...this.#child,
      start: (self: Self) => {
        run.pid = self.pid;
        const { token, state } = incarnation;
        // Only the first start receives the state that was handed over.
        incarnation.state = undefined;
        const left = this.#left = { state: undefined as unknown };
        const handover = (state: unknown): void => void (left.state = state);
        return this.#startChild(self, { token, state, handover }, run);
      },
    };
    const { intensity, period } = this.#options;
    const ended = (): void => {
      this.#starting = undefined;
      this.#system.send(this.#self.pid as Pid<unknown>, "started");
    };
    this.#starting = Supervisor.start(this.#self, { intensity, period, children: [child] }).then(
      (supervisor) => {
        this.#supervisor = supervisor;
        ended();
      },
      (error) => {
        if (!run.isOver) this.#failure = error;
        run.isOver = true;
        ended();
      },
    );
  }

  async #startChild(supervisor: Self, incarnation: Incarnation, run: Run): Promise<Started> {
    if (run.isOver) throw new Error("it must not run on this node any more");
    run.isStarting = true;
    let started: Started;
    try {
      started = await this.#child.start(supervisor, incarnation);
    } finally {
      run.isStarting = false;
    }
    const pid = started instanceof Pid ? started : started.pid;
    if (run.isOver) {
      this.#system.exit(pid, "kill");
      return started;
    }
    this.#running = pid;
    this.#namesAt = this.#system.now() + RETRY_MS;
    // The registration is not awaited, because a peer that answers slowly must not delay a
    // restart.
    this.#names.register(pid).then((isOurs) => {
      if (!isOurs && this.#isHolder) this.#system.exit(pid, { singleton: "its name is taken" });
    }, () => {});
    return started;
  }

  /**
   * Returns whether the child has its name. Registers it again if it lost the name in a partition.
   */
  #isNamed(): boolean {
    const child = this.#running;
    if (child === undefined || !this.#system.isAlive(child)) return true;
    if (this.#names.whereis() !== undefined) return true;
    const now = this.#system.now();
    if (now < this.#namesAt) return false;
    this.#namesAt = now + RETRY_MS;
    this.#names.register(child).catch(() => {});
    return false;
  }

  /** Gives up the lock, because the child cannot run on this node. Another node then takes over. */
  async #yield(): Promise<void> {
    this.#rest();
    await this.#release();
    this.#names.unlock();
  }

  async #release(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    await lease?.release();
  }

  #rest(): void {
    const { lease } = this.#options;
    this.#restsUntil = this.#system.now() + Math.max(RETRY_MS, (lease?.ttl ?? 0) / 10);
  }

  #rests(): boolean {
    return this.#system.now() < this.#restsUntil;
  }

  /**
   * Stops the child, and kills it if it has not stopped after `ms` milliseconds. With a finite
   * `ms`, a child that is still being started or restarted is killed at once.
   */
  async #stop(ms: number): Promise<void> {
    const run = this.#run;
    const starting = this.#starting;
    if (starting !== undefined && ms === Infinity && !await this.#isHeldUntil(starting)) {
      ms = this.#stopMs;
    }
    const supervisor = this.#supervisor;
    this.#supervisor = undefined;
    this.#running = undefined;
    if (this.#starting !== undefined || (run.isStarting && ms !== Infinity)) {
      await this.#kill(run, ms);
      // A supervisor that has not begun to start the child fails when it begins, because `run` is
      // over.
      await this.#starting;
      this.#supervisor = undefined;
      return;
    }
    if (supervisor === undefined) return;
    const stopped = supervisor.stop();
    if (ms === Infinity) {
      if (await this.#isHeldUntil(stopped)) {
        await stopped;
        run.isOver = true;
        return;
      }
      ms = this.#stopMs;
    }
    const late = (): Error => new Error("it does not stop");
    if (run.isStarting) await this.#kill(run, ms);
    else await this.#system.within(stopped, ms, late).catch(() => this.#kill(run, 0));
    run.isOver = true;
  }

  /**
   * Kills the supervisor, and after `ms` milliseconds the actors that are still linked to it, such
   * as a starting child.
   */
  async #kill(run: Run, ms: number): Promise<void> {
    run.isOver = true;
    if (run.pid === undefined) return;
    const links = this.#system.actorOf(run.pid)?.links ?? [];
    const children = [...links].filter((pid) => pid.home.local && !pid.equals(this.#self.pid));
    const ended = Promise.all(children.map((pid) => this.#system.whenEnded(pid)));
    await this.#system.end(run.pid, "kill");
    const late = (): Error => new Error("they do not end");
    await this.#system.within(ended, ms, late).catch(() =>
      Promise.all(children.map((pid) => this.#system.end(pid, "kill")))
    );
  }

  /**
   * Waits until `work` has settled, and renews the lease in the meantime. Resolves to true when it
   * has settled, or to false earlier if this node must not run the child any more.
   */
  async #isHeldUntil(work: Promise<unknown>): Promise<boolean> {
    let isOver = false;
    const ended = (): void => void (isOver = true);
    const over = work.then(ended, ended);
    const later = (): Error => new Error("not yet");
    while (!isOver) {
      if (this.isGivenUp) return false;
      if (this.#isStrict && !this.#isHolder) return false;
      if (this.#lease !== undefined && !await this.#lease.renew()) return false;
      const ms = Math.min(RETRY_MS, this.#lease?.renewMs ?? Infinity);
      await this.#system.within(over, ms, later).catch(() => {});
    }
    return true;
  }

  /** Handles a request of a node that stops taking part: it offers the lock and the state. */
  async #asked(call: Call<unknown, unknown>): Promise<void> {
    const request = call.request as Partial<Handover> | null;
    if (request?.singleton !== this.#names.name) return;
    const holder = this.#names.holder();
    // Another node may already have taken over the child, but replied too late. This is so if the
    // lock is held by a node other than `from` and `past`. If one of these seems to hold the lock,
    // this node has not yet received the message that the lock was released.
    const { from, past = [] } = request;
    const isOver = from !== undefined && holder !== undefined &&
      ![from, ...past].some((earlier) => holder.equals(earlier));
    if (isOver && this.#starting === undefined) return call.reply(true);
    if (!isOver) {
      this.#state = request.state;
      this.#past = from === undefined ? [] : [...past, from].slice(-PAST_MAX);
      await this.#act(true);
    }
    if (this.#starting !== undefined) this.#offers.push(call);
    else call.reply(this.#supervisor !== undefined && this.#isHolder);
  }

  /** Stops taking part: stops the child, and hands over its state to another manager. */
  async #leave(): Promise<void> {
    const { pid } = this.#self;
    const isOurs = this.#isHolder && (this.#supervisor ?? this.#starting) !== undefined;
    await this.#stop(Infinity);
    for (const offer of this.#offers.splice(0)) offer.reply(isOurs);
    await this.#release();
    const state = this.#left?.state;
    if (!isOurs || state === undefined || this.#names.others().length === 0) return;
    const { name } = this.#names;
    const request: Handover = { singleton: name, state, from: pid, past: this.#past };
    const options = { timeout: HANDOVER_MS_MAX };
    let failure: unknown = "none of them could take it over";
    const tried = new Set<string>();
    /**
     * The time until which the manager waits for new nodes; undefined while known nodes have not
     * been tried.
     */
    let until: number | undefined;
    while (true) {
      const other = this.#names.others().find(({ key }) => !tried.has(key));
      if (other === undefined) {
        // A node that has just started may take part soon.
        until ??= this.#system.now() + NEWCOMER_MS;
        if (this.#system.now() >= until) break;
        await this.#self.sleep(NEWCOMER_POLL_MS);
        continue;
      }
      tried.add(other.key);
      const manager = other as Pid<Call<Handover, boolean>>;
      try {
        if (await this.#system.call(manager, request, options)) return;
      } catch (error) {
        failure = error;
      }
    }
    // Reports the error as a crash. The next child starts without the state.
    const words = `the state of the singleton ${JSON.stringify(name)} was not handed over`;
    throw new Error(`${words}: ${failure}`);
  }
}
