/**
 * Question: what does spawning an actor on another node cost, one at a time and many at once?
 *
 * One iteration is one spawn, from the request until its pid arrives, or a hundred at once if the
 * name contains that number. The actors exit at once. Both nodes are in this process.
 *
 * @module
 */
import type { Pid } from "../../lib/term/pid.ts";
import { bench, benches, size } from "../kit.ts";
import { benchPair } from "./pair.ts";

const AT_ONCE = size(100, 3);

await benches("bench/mesh/spawn_bench.ts", ["net"], async () => {
  const { near, far, name } = await benchPair();
  const { system } = near;
  far.remote.spawner.expose("nothing", () => {});
  const there = { node: name, fn: "nothing" };
  const spawn = (args: readonly unknown[]): Promise<Pid> =>
    system.spawnAt(system.externalCaller, there, false, undefined, args);

  bench("without arguments", { group: "a spawn", baseline: true }, async () => {
    await spawn([]);
  });
  bench("with an object", { group: "a spawn" }, async () => {
    await spawn([{ id: "job 1", attempts: 3 }]);
  });
  bench(`${AT_ONCE} at once`, async () => {
    const pids = new Array<Promise<Pid>>(AT_ONCE);
    for (let i = 0; i < AT_ONCE; i++) pids[i] = spawn([]);
    await Promise.all(pids);
  });
});
