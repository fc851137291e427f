/**
 * Measures lower bounds for the rows of `run.ts` on this runtime: the same programs without a
 * library. An actor is an object with a queue, without names, links, limits, exits or fairness.
 *
 *     deno run -A --v8-flags=--expose-gc bench/peers/floors.ts send-async
 *     bun bench/peers/floors.ts send-async
 *
 * @module
 */
import { Ring } from "../../lib/base/ring.ts";
import { reportEach, reportIdle, reportRate, runNamed, signal } from "./measure.ts";

interface Increment {
  readonly type: "inc";
  readonly by: number;
}

/** Number of messages that a producer sends per turn, as in `firn.ts`. */
const PACED_BURST = 50;

/**
 * Calls `send` for n messages, `PACED_BURST` per microtask, and `after` at the end of each
 * microtask.
 */
function produce(n: number, send: (message: Increment) => void, after: () => void): void {
  let left = n;
  const turn = (): void => {
    for (let i = 0; i < PACED_BURST; i++) send({ type: "inc", by: 1 });
    after();
    if ((left -= PACED_BURST) > 0) queueMicrotask(turn);
  };
  queueMicrotask(turn);
}

/** Measures sends to a queue, whose handler is called with each message in a later microtask. */
function send(n: number): Promise<void> {
  const { done, give } = signal();
  const mailbox = new Ring<Increment>(64);
  let left = n;
  const handler = ({ by }: Increment): void => {
    left -= by;
    if (left === 0) give();
  };
  const drain = (): void => {
    while (mailbox.length > 0) handler(mailbox.shift()!);
  };
  produce(n, (message) => mailbox.push(message), () => queueMicrotask(drain));
  return done;
}

/** A queue whose owner is a loop that awaits each message. */
class Receiver<T extends object> {
  readonly #mailbox = new Ring<T>(64);
  #resolve: ((message: T) => void) | undefined;

  send(message: T): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return this.#mailbox.push(message);
    this.#resolve = undefined;
    resolve(message);
  }

  receive(): Promise<T> {
    if (this.#mailbox.length > 0) return Promise.resolve(this.#mailbox.shift()!);
    return new Promise((resolve) => this.#resolve = resolve);
  }
}

async function sendAsync(n: number): Promise<void> {
  const receiver = new Receiver<Increment>();
  produce(n, (message) => receiver.send(message), () => {});
  for (let left = n; left > 0;) left -= (await receiver.receive()).by;
}

/** The minimum of an actor that runs once: an object with a pid, a turn and an exit. */
class Once {
  readonly pid = { id: 0, actor: this };
  state = 0;
  reason: string | undefined = undefined;
  watcher: Receiver<Down> | undefined = undefined;
  readonly body: () => void;

  constructor(body: () => void) {
    this.body = body;
  }

  run(): void {
    this.body();
    this.state = 1;
    this.reason = "normal";
    this.watcher?.send({ type: "down", pid: this.pid, reason: this.reason });
  }
}

interface Down {
  readonly type: "down";
  readonly pid: object;
  readonly reason: string;
}

async function spawnAndAwait(n: number): Promise<void> {
  const receiver = new Receiver<Down>();
  const ready = new Ring<Once>(64);
  const drain = (): void => {
    while (ready.length > 0) ready.shift()!.run();
  };
  for (let i = 0; i < n; i++) {
    const once = new Once(() => {});
    once.watcher = receiver;
    ready.push(once);
    queueMicrotask(drain);
    await receiver.receive();
  }
}

/**
 * Creates n loops that wait for a message. Each is an object, an async function and its promise.
 */
async function idleAsync(n: number, keep: unknown[]): Promise<void> {
  const loop = async (receiver: Receiver<Increment>): Promise<void> => {
    for (;;) await receiver.receive();
  };
  for (let i = 0; i < n; i++) {
    const receiver = new Receiver<Increment>();
    keep[i] = receiver;
    void loop(receiver);
  }
  await undefined;
}

/** Calls `act` within `depth` further calls, as many as a stack usually has. */
function within(depth: number, act: () => void): void {
  if (depth === 0) act();
  else within(depth - 1, act);
}

/** Number of calls around a throw: a stack has at most ten lines by default. */
const STACK_DEPTH = 10;

/** The total length of all stacks, so that the compiler cannot remove them. */
let characters = 0;

/** Throws and catches n errors in later microtasks. With `read`, reads their stacks. */
async function throwAndCatch(n: number, read: boolean): Promise<void> {
  const fail = (): never => {
    throw new Error("crash requested");
  };
  for (let i = 0; i < n; i++) {
    await undefined;
    try {
      within(STACK_DEPTH, fail);
    } catch (error) {
      if (read) characters += (error as Error).stack!.length;
    }
  }
}

await runNamed({
  send: () => reportRate("send", 3_000_000, send),
  "send-async": () => reportRate("send-async", 2_000_000, sendAsync),
  "spawn-await": () => reportRate("spawn-await", 300_000, spawnAndAwait),
  throw: () => reportEach("throw", 2000, (n) => throwAndCatch(n, false)),
  "throw-stack": () => reportEach("throw-stack", 2000, (n) => throwAndCatch(n, true)),
  "idle-async": () => reportIdle("idle-async", idleAsync),
});
