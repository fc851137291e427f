/**
 * Runs the measurements with `effect`. It has no actors except the entities of a cluster, which are
 * measured as `call.entity`. In the other measurements, an actor is what users of Effect write: a
 * fiber that takes messages from a queue.
 *
 *     deno run -A --no-config --v8-flags=--expose-gc bench/peers/effect.ts send <module>
 *     bun bench/peers/effect.ts send <module>
 *
 * @module
 */
import process from "node:process";
import { BURST, reportEach, reportIdle, reportRate, runNamed, signal } from "./measure.ts";

// The types of effect are not installed.
// deno-lint-ignore no-explicit-any
type Untyped = any;
const { Deferred, Effect, Fiber, Layer, Queue, Schema, ...lib }: Untyped = await import(
  process.argv[3]!
);

/** The generator in which Effect programs are written. */
type Steps = Generator<Untyped, unknown, Untyped>;

/**
 * Returns an effect that creates a queue, and a fiber that calls `handle` with each message of the
 * queue.
 */
function actor(handle: (message: Untyped) => Untyped): Untyped {
  return Effect.gen(function* (): Steps {
    const queue = yield* Queue.unbounded();
    const fiber = yield* Effect.forkDetach(
      Effect.forever(Effect.flatMap(Queue.take(queue), handle)),
    );
    return { queue, fiber };
  });
}

function run(steps: () => Steps): Promise<unknown> {
  return Effect.runPromise(Effect.gen(steps));
}

function send(n: number): Promise<unknown> {
  return run(function* () {
    const { done, give } = signal();
    let left = n;
    const { queue, fiber } = yield* actor(({ by }) =>
      Effect.sync(() => {
        left -= by;
        if (left === 0) give();
      })
    );
    for (let i = 0; i < n; i++) {
      yield* Queue.offer(queue, { type: "inc", by: 1 });
      if (i % BURST === BURST - 1) yield* Effect.yieldNow;
    }
    yield* Effect.promise(() => done);
    yield* Fiber.interrupt(fiber);
  });
}

function pingPong(n: number): Promise<unknown> {
  return run(function* () {
    const { done, give } = signal();
    const balls = yield* Queue.unbounded();
    const pong = yield* actor((ball) => Queue.offer(balls, ball));
    const ping = yield* Effect.forkDetach(Effect.forever(Effect.flatMap(
      Queue.take(balls),
      ({ left }: { left: number }) =>
        left === 0 ? Effect.sync(give) : Queue.offer(pong.queue, { left: left - 1 }),
    )));
    yield* Queue.offer(balls, { left: n });
    yield* Effect.promise(() => done);
    yield* Fiber.interrupt(ping);
    yield* Fiber.interrupt(pong.fiber);
  });
}

function call(n: number): Promise<unknown> {
  return run(function* () {
    let sum = 0;
    const { queue, fiber } = yield* actor(({ by, reply }) => Deferred.succeed(reply, sum += by));
    for (let i = 0; i < n; i++) {
      const reply = yield* Deferred.make();
      yield* Queue.offer(queue, { type: "inc", by: 1, reply });
      yield* Deferred.await(reply);
    }
    yield* Fiber.interrupt(fiber);
  });
}

/** Forks n fibers with a queue, which end at once. Waits for the last to end. */
function spawnAndExit(n: number): Promise<unknown> {
  return run(function* () {
    const { done, give } = signal();
    let left = n;
    const body = Effect.sync(() => {
      if (--left === 0) give();
    });
    for (let i = 0; i < n; i++) {
      yield* Queue.unbounded();
      yield* Effect.forkDetach(body);
      if (i % BURST === BURST - 1) yield* Effect.yieldNow;
    }
    yield* Effect.promise(() => done);
  });
}

/** Measures restarts: a message fails the loop of a fiber, the loop is retried, and it answers. */
function restart(n: number): Promise<unknown> {
  return run(function* () {
    const queue = yield* Queue.unbounded();
    const loop = Effect.forever(Effect.flatMap(
      Queue.take(queue),
      (message: unknown) =>
        message === "crash"
          ? Effect.fail(new Error("crash requested"))
          : Deferred.succeed(message, 1),
    ));
    const fiber = yield* Effect.forkDetach(Effect.retry(loop, { times: n }));
    for (let i = 0; i < n; i++) {
      yield* Queue.offer(queue, "crash");
      const reply = yield* Deferred.make();
      yield* Queue.offer(queue, reply);
      yield* Deferred.await(reply);
    }
    yield* Fiber.interrupt(fiber);
  });
}

function idle(n: number, keep: unknown[]): Promise<unknown> {
  return run(function* () {
    for (let i = 0; i < n; i++) {
      keep[i] = yield* actor(() => Effect.void);
      if (i % BURST === BURST - 1) yield* Effect.yieldNow;
    }
  });
}

/** Calls an entity of a cluster of one runner in memory, as its documentation does. */
async function callEntity(): Promise<void> {
  const { Entity, TestRunner } = lib.cluster;
  const { Rpc } = lib.rpc;
  const payload = { amount: Schema.Int };
  const Counter = Entity.make("Counter", [
    Rpc.make("Increment", { payload, success: Schema.Int }),
  ]);
  const handlers = Effect.sync(() => {
    let sum = 0;
    return Counter.of({
      Increment: ({ payload }: Untyped) => Effect.sync(() => sum += payload.amount),
    });
  });
  const layer = Counter.toLayer(handlers).pipe(Layer.provideMerge(TestRunner.layer));
  const calls = Effect.gen(function* () {
    const counter = (yield* Counter.client)("counter");
    const increment = (n: number) =>
      Effect.gen(function* () {
        for (let i = 0; i < n; i++) yield* counter.Increment({ amount: 1 });
      });
    const context = yield* Effect.context();
    yield* Effect.promise(() =>
      reportRate("call.entity", 5_000, (n) => Effect.runPromiseWith(context)(increment(n)))
    );
  });
  await Effect.runPromise(Effect.scoped(Effect.provide(calls, layer)));
}

await runNamed({
  send: () => reportRate("send", 100_000, send),
  pingpong: () => reportRate("pingpong", 50_000, pingPong),
  call: () => reportRate("call", 50_000, call),
  "call-entity": callEntity,
  spawn: () => reportRate("spawn", 50_000, spawnAndExit),
  restart: () => reportEach("restart", 10_000, restart),
  idle: () => reportIdle("idle", idle, 0.1),
});
