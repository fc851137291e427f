/**
 * Runs the measurements with `actor-ts`, written as in its documentation and its own benches.
 *
 *     deno run -A --no-config --v8-flags=--expose-gc bench/peers/actor_ts.ts send <module>
 *     bun bench/peers/actor_ts.ts send <module>
 *
 * @module
 */
import process from "node:process";
import { inBursts, reportEach, reportIdle, reportRate, runNamed, signal } from "./measure.ts";

/** The part of actor-ts that is used. */
interface ActorTs {
  Actor: new () => Actor;
  ActorSystem: { create(name: string, options: unknown): System };
  ActorSystemOptions: { create(): Options };
  NoopLogger: new () => unknown;
  LogLevel: { Off: unknown };
  OneForOneStrategy: new (decide: () => string, options: { maxRetries: number }) => unknown;
  Directive: { Restart: string };
}

interface Actor {
  readonly self: Ref;
  readonly sender: { forEach(act: (to: Ref) => void): void; toNullable(): Ref | null };
  readonly context: { spawn(actor: new () => Actor, name: string): Ref };
}

interface Ref {
  tell(message: unknown, sender?: Ref | null): void;
  ask(message: unknown, timeoutMs: number): Promise<unknown>;
  stop(): void;
}

interface Options {
  withLogger(logger: unknown): Options;
  withLogLevel(level: unknown): Options;
}

interface System {
  spawnAnonymous(actor: (new () => Actor) | (() => Actor)): Ref;
}

const { Actor, ActorSystem, ActorSystemOptions, Directive, ...lib }: ActorTs = await import(
  process.argv[3]!
);
const system = ActorSystem.create(
  "bench",
  ActorSystemOptions.create().withLogger(new lib.NoopLogger()).withLogLevel(lib.LogLevel.Off),
);

async function send(n: number): Promise<void> {
  const { done, give } = signal();
  class Sink extends Actor {
    #left = n;
    onReceive({ by }: { by: number }): void {
      this.#left -= by;
      if (this.#left === 0) give();
    }
  }
  const sink = system.spawnAnonymous(Sink);
  await inBursts(n, () => sink.tell({ type: "inc", by: 1 }));
  await done;
  sink.stop();
}

async function pingPong(n: number): Promise<void> {
  const { done, give } = signal();
  class Pong extends Actor {
    onReceive(message: unknown): void {
      this.sender.forEach((to) => to.tell(message));
    }
  }
  const pong = system.spawnAnonymous(Pong);
  class Ping extends Actor {
    onReceive({ left }: { left: number }): void {
      if (left === 0) give();
      else pong.tell({ left: left - 1 }, this.self);
    }
  }
  const ping = system.spawnAnonymous(Ping);
  ping.tell({ left: n });
  await done;
  ping.stop();
  pong.stop();
}

async function call(n: number): Promise<void> {
  class Server extends Actor {
    #sum = 0;
    onReceive({ by }: { by: number }): void {
      this.#sum += by;
      this.sender.forEach((to) => to.tell(this.#sum));
    }
  }
  const server = system.spawnAnonymous(Server);
  for (let i = 0; i < n; i++) await server.ask({ type: "inc", by: 1 }, 5000);
  server.stop();
}

/** Spawns n actors and stops each. Waits until all have started and stopped. */
async function spawnAndStop(n: number): Promise<void> {
  const { done, give } = signal();
  let left = n;
  class Short extends Actor {
    onReceive(): void {}
    postStop(): void {
      if (--left === 0) give();
    }
  }
  await inBursts(n, () => system.spawnAnonymous(Short).stop());
  await done;
}

/** Measures restarts: a child throws, its parent restarts it, and it answers. */
async function restart(n: number): Promise<void> {
  class Child extends Actor {
    onReceive(message: string): void {
      if (message === "crash") throw new Error("crash requested");
      this.sender.forEach((to) => to.tell(1));
    }
  }
  class Parent extends Actor {
    #child!: Ref;
    preStart(): void {
      this.#child = this.context.spawn(Child, "child");
    }
    supervisorStrategy(): unknown {
      return new lib.OneForOneStrategy(() => Directive.Restart, { maxRetries: -1 });
    }
    onReceive(message: string): void {
      this.#child.tell(message, this.sender.toNullable());
    }
  }
  const parent = system.spawnAnonymous(Parent);
  for (let i = 0; i < n; i++) {
    parent.tell("crash");
    await parent.ask("ping", 5000);
  }
  parent.stop();
}

/** Spawns actors, and waits until each has started. */
async function idle(n: number, keep: unknown[]): Promise<void> {
  const { done, give } = signal();
  let left = n;
  class Idle extends Actor {
    preStart(): void {
      if (--left === 0) give();
    }
    onReceive(): void {}
  }
  for (let i = 0; i < n; i++) keep[i] = system.spawnAnonymous(Idle);
  await done;
}

await runNamed({
  send: () => reportRate("send", 500_000, send),
  pingpong: () => reportRate("pingpong", 100_000, pingPong),
  call: () => reportRate("call", 50_000, call),
  spawn: () => reportRate("spawn", 50_000, spawnAndStop),
  restart: () => reportEach("restart", 2000, restart),
  idle: () => reportIdle("idle", idle, 0.1),
});
