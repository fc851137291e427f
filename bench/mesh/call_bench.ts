/**
 * Question: what does a call of an actor on another node cost, from the request until its reply,
 * one at a time and many at once?
 *
 * One iteration is one call of an actor, or a hundred at once if the name contains that number.
 * Both nodes are in this process, so that a round trip is a turn of one event loop instead of two.
 *
 * @module
 */
import type { Call } from "../../lib/actor/call.ts";
import type { Self } from "../../lib/actor/self.ts";
import { bench, benches, size } from "../kit.ts";
import { benchPair, spawnThere } from "./pair.ts";

const AT_ONCE = size(100, 3);

type Add = Call<{ readonly by: number }, number>;

await benches("bench/mesh/call_bench.ts", ["net"], async () => {
  const pair = await benchPair();
  const { system } = pair.near;
  let sum = 0;
  const body = (_self: Self<Add>) => (call: Add): void => call.reply(sum += call.request.by);
  const adder = await spawnThere<Add>(pair, body);
  const named = { name: "adder", node: pair.name };
  pair.far.system.spawn(undefined, { name: "adder" }, body, []);

  const group = "a call";
  bench("by pid", { group, baseline: true }, async () => {
    await system.call(adder, { by: 1 });
  });
  bench("by name", { group }, async () => {
    await system.call(named, { by: 1 });
  });
  bench(`${AT_ONCE} at once`, async () => {
    const answers = new Array<Promise<number>>(AT_ONCE);
    for (let i = 0; i < AT_ONCE; i++) answers[i] = system.call(adder, { by: 1 });
    await Promise.all(answers);
  });
});
