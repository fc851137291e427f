/**
 * Question: what does a message to another node cost, by its content and by the kind of address?
 *
 * One iteration is the messages of one turn, from the first send until the last is handled: a
 * thousand, unless the name contains another number. Both nodes are in this process.
 *
 * @module
 */
import { bench, benches, size } from "../kit.ts";
import { Latch } from "../actor/system.ts";
import { benchPair, spawnThere } from "./pair.ts";

const SMALL_COUNT = size(1000, 10);
const LARGER_COUNT = size(100, 2);

await benches("bench/mesh/send_bench.ts", ["net"], async () => {
  const pair = await benchPair();
  const { system } = pair.near;
  const all = new Latch();
  let left = 0;
  const sink = await spawnThere<unknown>(pair, () => () => {
    if (--left === 0) all.give();
  });
  const named = { name: "sink", node: pair.name };
  pair.far.system.spawn(undefined, { name: "sink" }, () => () => {
    if (--left === 0) all.give();
  }, []);

  const small = new Uint8Array(64);
  const larger = new Uint8Array(16 * 1024);
  const samples: readonly (readonly [string, number, (i: number) => unknown])[] = [
    ["a number", SMALL_COUNT, (i) => i],
    ["64 bytes", SMALL_COUNT, () => small],
    ["a small object", SMALL_COUNT, (i) => ({ type: "inc", by: i & 63 })],
    ["an object with a pid", SMALL_COUNT, (i) => ({ from: sink, by: i & 63 })],
    ["16 KiB", LARGER_COUNT, () => larger],
  ];

  for (const [what, count, make] of samples) {
    bench(`${count} × ${what}, by pid`, { group: "by pid" }, async () => {
      left = count;
      const done = all.next();
      for (let i = 0; i < count; i++) system.send(sink, make(i) as never);
      await done;
    });
  }

  bench(`${SMALL_COUNT} × a small object, by name`, { group: "by name" }, async () => {
    left = SMALL_COUNT;
    const done = all.next();
    for (let i = 0; i < SMALL_COUNT; i++) system.sendTo(named, { type: "inc", by: i & 63 });
    await done;
  });
});
