/**
 * Question: what does an actor cost, from `spawn` until it has exited, by its kind and its
 * monitors?
 *
 * One iteration is a hundred actors, spawned in one turn, until the last has exited. `bench/peers/`
 * measures the memory of idle actors, which requires a separate process.
 *
 * @module
 */
import type { Self } from "../../lib/actor/self.ts";
import { bench, size } from "../kit.ts";
import { benchSystem, Latch } from "./system.ts";

const ACTORS = size(100, 3);

const system = benchSystem();
const last = new Latch();
let left = 0;

function ended(): void {
  if (--left === 0) last.give();
}

type Body = (self: Self<string>) => Promise<unknown> | ((message: string) => unknown) | void;

const bodies: readonly (readonly [string, Body])[] = [
  ["ends at once", () => ended()],
  ["ends at once, async", async () => {
    await null;
    ended();
  }],
  ["handles one message, is killed", (self) => () => {
    system.exit(self.pid, "kill");
    ended();
  }],
  ["awaits one message", async (self) => {
    await self.receive();
    ended();
  }],
];

for (const [name, body] of bodies) {
  bench(`${ACTORS}: ${name}`, { group: "spawn and exit" }, async () => {
    left = ACTORS;
    const done = last.next();
    for (let i = 0; i < ACTORS; i++) {
      const pid = system.spawn(undefined, undefined, body, []);
      system.send(pid, "a message");
    }
    await done;
  });
}

/** Ways to spawn a child whose exit is sent to the parent. */
const watching: readonly (readonly [string, (self: Self) => void])[] = [
  ["linked", (self) => void self.spawnLink(() => {})],
  ["monitored", (self) => void self.spawnMonitor(() => {})],
];

for (const [name, spawnChild] of watching) {
  bench(`${ACTORS}: ${name}, one at a time`, { group: "spawn and exit, watched" }, async () => {
    const done = last.next();
    system.spawn(undefined, undefined, async (self) => {
      self.trapExit = true;
      for (let i = 0; i < ACTORS; i++) {
        spawnChild(self);
        await self.receive();
      }
      last.give();
    }, []);
    await done;
  });
}
