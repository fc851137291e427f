/**
 * Runs the measurements that `npm:nact` supports.
 *
 *     deno run -A --no-config --v8-flags=--expose-gc bench/peers/nact.ts send <module>
 *     bun bench/peers/nact.ts send <module>
 *
 * @module
 */
import process from "node:process";
import { reportEach, reportIdle, reportRate, runNamed, signal, turn } from "./measure.ts";

/** The part of nact that is used. */
interface Nact {
  start(): Actor;
  spawn<S, M>(
    parent: Actor,
    handle: (state: S | undefined, message: M) => S,
    name: string,
    options?: { onCrash(message: M, error: Error, context: { readonly reset: symbol }): symbol },
  ): Actor;
  spawnStateless<M>(
    parent: Actor,
    handle: (message: M, context: { readonly self: Actor }) => void,
    name: string,
  ): Actor;
  dispatch(actor: Actor, message: unknown): void;
  query(actor: Actor, message: (from: Actor) => unknown, timeoutMs: number): Promise<unknown>;
  stop(actor: Actor): void;
}

/** An opaque actor reference. */
type Actor = { readonly nact: unique symbol };

const nact: Nact = await import(process.argv[3]!);
const system = nact.start();
let lastName = 0;

/** Returns a unique name. */
function name(): string {
  return `a${++lastName}`;
}

async function send(n: number): Promise<void> {
  const { done, give } = signal();
  const sink = nact.spawn<number, { by: number }>(system, (before, { by }) => {
    const sum = (before ?? 0) + by;
    if (sum === n) give();
    return sum;
  }, name());
  for (let i = 0; i < n; i++) nact.dispatch(sink, { type: "inc", by: 1 });
  await done;
  nact.stop(sink);
}

interface Ball {
  readonly left: number;
  readonly from: Actor;
}

async function pingPong(n: number): Promise<void> {
  const { done, give } = signal();
  const pong = nact.spawnStateless<Ball>(system, (ball) => nact.dispatch(ball.from, ball), name());
  const ping = nact.spawnStateless<Ball>(system, ({ left }, { self }) => {
    if (left === 0) give();
    else nact.dispatch(pong, { left: left - 1, from: self });
  }, name());
  nact.dispatch(ping, { left: n });
  await done;
  nact.stop(ping);
  nact.stop(pong);
}

async function call(n: number): Promise<void> {
  const server = nact.spawnStateless<{ by: number; from: Actor }>(
    system,
    ({ by, from }) => nact.dispatch(from, by + 1),
    name(),
  );
  for (let i = 0; i < n; i++) await nact.query(server, (from) => ({ by: 1, from }), 5000);
  nact.stop(server);
}

async function spawnAndStop(n: number): Promise<void> {
  for (let i = 0; i < n; i++) {
    nact.stop(nact.spawnStateless(system, () => {}, name()));
    if (i % 1024 === 1023) await turn();
  }
}

/**
 * Measures restarts: a message makes the actor throw, it is reset, and it answers the next message.
 */
async function restart(n: number): Promise<void> {
  const child = nact.spawn<number, Actor | "crash">(
    system,
    (before, message) => {
      if (message === "crash") throw new Error("crash requested");
      nact.dispatch(message, 1);
      return before ?? 0;
    },
    name(),
    { onCrash: (_message, _error, { reset }) => reset },
  );
  for (let i = 0; i < n; i++) {
    nact.dispatch(child, "crash");
    await nact.query(child, (from) => from, 5000);
  }
  nact.stop(child);
}

async function idle(n: number, keep: unknown[]): Promise<void> {
  for (let i = 0; i < n; i++) {
    keep[i] = nact.spawnStateless(system, () => {}, name());
    if (i % 8192 === 8191) await turn();
  }
}

await runNamed({
  send: () => reportRate("send", 200_000, send),
  pingpong: () => reportRate("pingpong", 100_000, pingPong),
  call: () => reportRate("call", 50_000, call),
  spawn: () => reportRate("spawn", 50_000, spawnAndStop),
  restart: () => reportEach("restart", 2000, restart),
  idle: () => reportIdle("idle", idle),
});
