/**
 * Singletons: one child runs in the whole cluster. On each node that takes part a manager competes for a
 * lock, which is a global name like any other; who has it runs the child.
 *
 *     standby ──the lock is free──▶ competing ──it is ours──▶ holding: a supervisor, and in it the child
 *        ▲                             │ it is not               │ the lock is another's, after a partition
 *        └─────────────────────────────┴─────────────────────────┘ the supervisor has given up
 *
 * The manager looks at who has the lock, not at what it was told, and does what is missing: starts its
 * supervisor if it has the lock, stops it if it has not.
 *
 * @module
 */
import { Exit } from "../actor/exit.ts";
import type { Self } from "../actor/self.ts";
import { type System, systemOf } from "../actor/system.ts";
import type { LocalChildSpec, Started } from "../otp/child.ts";
import { Supervisor } from "../otp/supervisor.ts";
import { Pid } from "../term/pid.ts";

/** Who could not have a lock that nobody seems to have, or whose child cannot run, tries again. Milliseconds. */
const RETRY_MS = 500;

/** How the child is supervised. */
export interface SingletonOptions {
  /** More restarts than this within `period`, and another node takes over. Default 3. */
  readonly intensity?: number | undefined;
  /** Milliseconds. Default 5000. */
  readonly period?: number | undefined;
}

/** What is needed of global names. */
export interface SingletonNames {
  /** Who has the lock. */
  holder(): Pid<never> | undefined;
  lock(pid: Pid<never>): Promise<boolean>;
  unlock(): void;
  /** Sends a message whenever the lock or the child's name has moved. */
  monitor(pid: Pid<unknown>): void;
  /** Registers the child. */
  register(pid: Pid<never>): Promise<boolean>;
  /** Where the child is. */
  whereis(): Pid<never> | undefined;
}

/** One node's part in a singleton. */
export class Singleton {
  /** Under which global name the child is to be found. */
  readonly name: string;
  /** The manager on this node. */
  readonly pid: Pid<never>;
  /** Resolves when the child is to be found here, or would be if it had not ended for good. */
  readonly settled: Promise<void>;
  readonly #names: SingletonNames;

  /** For the runtime: see `Global.singleton`. */
  constructor(name: string, pid: Pid<never>, settled: Promise<void>, names: SingletonNames) {
    this.name = name;
    this.pid = pid;
    this.settled = settled;
    this.#names = names;
  }

  /** Whether it runs on this node. */
  get isHere(): boolean {
    return this.#names.holder()?.equals(this.pid) ?? false;
  }

  /** Where the child is. Undefined: it is just being started, or taken over. */
  whereis(): Pid<never> | undefined {
    return this.#names.whereis();
  }

  /** This node takes no part any more: its child is stopped, and another node takes over. */
  stop(): Promise<void> {
    return systemOf(this.pid).end(this.pid, "shutdown");
  }
}

/** Takes part in a singleton. */
export function startSingleton(
  system: System,
  name: string,
  child: LocalChildSpec,
  options: SingletonOptions,
  names: SingletonNames,
): Singleton {
  let done!: () => void;
  const settled = new Promise<void>((resolve) => done = resolve);
  const singleton = (self: Self<unknown>): Promise<void> =>
    new Manager(self, child, options, names).live(done);
  const pid = system.spawn(undefined, undefined, singleton, []);
  system.whenEnded(pid).then(done);
  return new Singleton(name, pid, settled, names);
}

/** The actor. */
class Manager {
  readonly #self: Self<unknown>;
  readonly #child: LocalChildSpec;
  readonly #options: SingletonOptions;
  readonly #names: SingletonNames;
  /** Runs as long as we hold the lock. */
  #supervisor: Supervisor | undefined = undefined;
  /** It does not compete before this time. */
  #restsUntil = 0;

  constructor(
    self: Self<unknown>,
    child: LocalChildSpec,
    options: SingletonOptions,
    names: SingletonNames,
  ) {
    this.#self = self;
    this.#child = child;
    this.#options = options;
    this.#names = names;
  }

  /** `settled` is called when it is known who runs the child. */
  async live(settled: () => void): Promise<void> {
    const self = this.#self;
    self.trapExit = true;
    this.#names.monitor(self.pid);
    let isSettled = false;
    let isLate = false;
    while (true) {
      const isDecided = await this.#act();
      // The child may have no name, as it has ended for good: that is not waited for.
      if (isDecided && (isLate || this.#names.whereis() !== undefined)) {
        isSettled = true;
        settled();
      }
      // What makes it look again: the lock or the name has moved, the supervisor has ended, it is to stop.
      const timeout = isDecided && isSettled ? Infinity : RETRY_MS;
      const message: unknown = await self.receive({ timeout });
      isLate = message === undefined;
      if (!(message instanceof Exit)) continue;
      if (message.from.equals(this.#supervisor?.pid)) {
        this.#supervisor = undefined;
        this.#yield();
      } else if (message.from.equals(systemOf(self.pid).pid)) break;
    }
    await this.#stop();
    // The lock goes with this actor, after the child.
  }

  /** Does what is missing. Whether it is decided who runs the child. */
  async #act(): Promise<boolean> {
    const { pid } = this.#self;
    if (this.#names.holder() === undefined && !this.#rests()) {
      const isOurs = await this.#names.lock(pid);
      // A peer has not heard yet that the lock is free.
      if (!isOurs && this.#names.holder() === undefined) this.#rest();
    }
    const holder = this.#names.holder();
    if (holder?.equals(pid)) return this.#supervisor !== undefined || await this.#start();
    await this.#stop();
    return holder !== undefined;
  }

  async #start(): Promise<boolean> {
    const child = { ...this.#child, start: (self: Self) => this.#startChild(self) };
    try {
      const options = { ...this.#options, children: [child] };
      this.#supervisor = await Supervisor.start(this.#self, options);
      return true;
    } catch {
      this.#yield();
      return false;
    }
  }

  async #startChild(supervisor: Self): Promise<Started> {
    const started = await this.#child.start(supervisor);
    const pid = started instanceof Pid ? started : started.pid;
    const system = systemOf(this.#self.pid);
    // Not waited for: a peer that is slow to answer must not hold up a restart.
    this.#names.register(pid).then((isOurs) => {
      if (!isOurs && this.#names.holder()?.equals(this.#self.pid)) {
        system.exit(pid, { singleton: "its name is taken" });
      }
    }, () => {});
    return started;
  }

  /** The child cannot run here: perhaps it can on another node. */
  #yield(): void {
    this.#rest();
    this.#names.unlock();
  }

  #rest(): void {
    this.#restsUntil = systemOf(this.#self.pid).now() + RETRY_MS;
  }

  #rests(): boolean {
    return systemOf(this.#self.pid).now() < this.#restsUntil;
  }

  async #stop(): Promise<void> {
    const supervisor = this.#supervisor;
    this.#supervisor = undefined;
    await supervisor?.stop();
  }
}
