/**
 * Runs the measurements with `@hamicek/noex`, written as in its documentation and its own bench. It
 * has only services, whose start returns a promise.
 *
 *     deno run -A --no-config --v8-flags=--expose-gc bench/peers/noex.ts send <module>
 *     bun bench/peers/noex.ts send <module>
 *
 * @module
 */
import process from "node:process";
import { inBursts, reportEach, reportIdle, reportRate, runNamed, signal } from "./measure.ts";

/** The part of noex that is used. */
interface Noex {
  GenServer: {
    start<S, C, M>(behavior: {
      init(): S;
      handleCall(request: C, state: S): readonly [reply: unknown, state: S];
      handleCast(message: M, state: S): S;
    }): Promise<Ref>;
    cast(ref: Ref, message: unknown): void;
    call(ref: Ref, request: unknown): Promise<unknown>;
    stop(ref: Ref, reason?: "normal" | { readonly error: Error }): Promise<void>;
  };
  Supervisor: {
    start(options: {
      readonly strategy: "one_for_one";
      readonly restartIntensity: { readonly maxRestarts: number; readonly withinMs: number };
      readonly children: readonly { readonly id: string; start(): Promise<Ref> }[];
    }): Promise<Ref>;
    stop(ref: Ref): Promise<void>;
  };
}

/** An opaque reference. */
type Ref = { readonly noex: unique symbol };

const { GenServer, Supervisor }: Noex = await import(process.argv[3]!);

/** Starts a service that counts. */
function counter() {
  return GenServer.start<number, { by: number }, never>({
    init: () => 0,
    handleCall: ({ by }, state) => [state + by, state + by],
    handleCast: (_, state) => state,
  });
}

async function send(n: number): Promise<void> {
  const { done, give } = signal();
  const sink = await GenServer.start<number, never, { by: number }>({
    init: () => n,
    handleCall: (_, state) => [state, state],
    handleCast: ({ by }, state) => {
      if (state === by) give();
      return state - by;
    },
  });
  await inBursts(n, () => GenServer.cast(sink, { type: "inc", by: 1 }));
  await done;
  await GenServer.stop(sink);
}

async function pingPong(n: number): Promise<void> {
  const { done, give } = signal();
  const pong = await GenServer.start<number, never, unknown>({
    init: () => 0,
    handleCall: (_, state) => [state, state],
    handleCast: (ball, state) => {
      GenServer.cast(ping, ball);
      return state;
    },
  });
  const ping = await GenServer.start<number, never, { left: number }>({
    init: () => 0,
    handleCall: (_, state) => [state, state],
    handleCast: ({ left }, state) => {
      if (left === 0) give();
      else GenServer.cast(pong, { left: left - 1 });
      return state;
    },
  });
  GenServer.cast(ping, { left: n });
  await done;
  await GenServer.stop(ping);
  await GenServer.stop(pong);
}

async function call(n: number): Promise<void> {
  const server = await counter();
  for (let i = 0; i < n; i++) await GenServer.call(server, { by: 1 });
  await GenServer.stop(server);
}

/** Starts and stops n services, {@linkcode AT_ONCE} at a time. */
async function spawnAndStop(n: number): Promise<void> {
  for (let i = 0; i < n; i += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      await GenServer.stop(await counter());
    }));
  }
}

const AT_ONCE = 100;

/**
 * Measures restarts: a service exits because of an error, and its supervisor, which checks it every
 * 50 ms, restarts it. An error that a handler throws does not end a service.
 */
async function restart(n: number): Promise<void> {
  let started = (_ref: Ref): void => {};
  const next = (): Promise<Ref> => new Promise((resolve) => started = resolve);
  const first = next();
  const tree = await Supervisor.start({
    strategy: "one_for_one",
    restartIntensity: { maxRestarts: 1_000_000, withinMs: 1000 },
    children: [{
      id: "child",
      start: async () => {
        const ref = await counter();
        started(ref);
        return ref;
      },
    }],
  });
  let child = await first;
  for (let i = 0; i < n; i++) {
    const restarted = next();
    await GenServer.stop(child, { error: new Error("crash requested") });
    child = await restarted;
    await GenServer.call(child, { by: 1 });
  }
  await Supervisor.stop(tree);
}

async function idle(n: number, keep: unknown[]): Promise<void> {
  for (let i = 0; i < n; i += AT_ONCE) {
    const some = await Promise.all(Array.from({ length: AT_ONCE }, counter));
    for (const [j, ref] of some.entries()) keep[i + j] = ref;
  }
}

await runNamed({
  send: () => reportRate("send", 200_000, send),
  pingpong: () => reportRate("pingpong", 100_000, pingPong),
  call: () => reportRate("call", 50_000, call),
  spawn: () => reportRate("spawn", 20_000, spawnAndStop),
  restart: () => reportEach("restart", 10, restart),
  idle: () => reportIdle("idle", idle, 0.1),
});
