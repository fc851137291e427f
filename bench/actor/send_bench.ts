/**
 * Question: what does a message inside a node cost, by the kind of its receiver, and by the number
 * of messages that are sent before the receiver runs?
 *
 * One iteration is a thousand messages, from the first send until the last is handled: divide by a
 * thousand. A ping-pong of a thousand round trips is two thousand messages.
 *
 * @module
 */
import type { Self } from "../../lib/actor/self.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { bench, size } from "../kit.ts";
import { benchSystem, Latch } from "./system.ts";

const MESSAGES = size(1000, 10);

interface Increment {
  readonly type: "inc";
  readonly by: number;
}

const system = benchSystem();
const spawn = <M>(body: (self: Self<M>) => Promise<unknown> | ((message: M) => unknown)): Pid<M> =>
  system.spawn(undefined, undefined, body, []);

const all = new Latch();
let left = 0;
function count(by: number): void {
  left -= by;
  if (left === 0) all.give();
}

const handler = spawn<Increment>(() => ({ by }) => count(by));
const loop = spawn<Increment>(async (self) => {
  for (;;) count((await self.receive()).by);
});
const iterator = spawn<Increment>(async (self) => {
  for await (const { by } of self) count(by);
});
const selective = spawn<Increment>(async (self) => {
  for (;;) count((await self.receive({ match: ({ type }) => type === "inc" })).by);
});
// deno-lint-ignore require-await -- measures a handler that returns a promise
const waiting = spawn<Increment>(() => async ({ by }) => count(by));

const takers: readonly (readonly [string, Pid<Increment>])[] = [
  ["handler", handler],
  ["handler that gives a promise", waiting],
  ["await receive()", loop],
  ["for await", iterator],
  ["await receive({ match })", selective],
];

for (const [name, pid] of takers) {
  const group = "one way";
  bench(`${MESSAGES} in one turn: ${name}`, { group, baseline: pid === handler }, async () => {
    left = MESSAGES;
    const done = all.next();
    for (let i = 0; i < MESSAGES; i++) system.send(pid, { type: "inc", by: 1 });
    await done;
  });
}

for (const [name, pid] of takers) {
  const group = "one by one";
  const producer = spawn<number>((self) => (more) => {
    system.send(pid, { type: "inc", by: 1 });
    if (more > 1) self.send(self.pid, more - 1);
  });
  bench(`${MESSAGES}, one a turn: ${name}`, { group, baseline: pid === handler }, async () => {
    left = MESSAGES;
    const done = all.next();
    system.send(producer, MESSAGES);
    await done;
  });
}

interface Ball {
  readonly left: number;
}

function pair(player: (other: () => Pid<Ball>) => Pid<Ball>): Pid<Ball> {
  const pong: Pid<Ball> = player(() => ping);
  const ping: Pid<Ball> = player(() => pong);
  return ping;
}

function hit(self: Self<Ball>, other: Pid<Ball>, ball: Ball): void {
  if (ball.left === 0) all.give();
  else self.send(other, { left: ball.left - 1 });
}

const pairs: readonly (readonly [string, Pid<Ball>])[] = [
  ["handlers", pair((other) => spawn<Ball>((self) => (ball) => hit(self, other(), ball)))],
  [
    "async loops",
    pair((other) =>
      spawn<Ball>(async (self) => {
        for (;;) hit(self, other(), await self.receive());
      })
    ),
  ],
];

for (const [name, pid] of pairs) {
  const group = "ping-pong";
  bench(`${MESSAGES} round trips: ${name}`, { group, baseline: name === "handlers" }, async () => {
    const done = all.next();
    system.send(pid, { left: 2 * MESSAGES });
    await done;
  });
}
