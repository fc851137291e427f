/**
 * Question: what does a call cost, from the request until its reply, and how do the timeout, the
 * options and the kind of callee change it?
 *
 * One iteration is one call of an actor, or a hundred at once if the name contains that number.
 *
 * @module
 */
import type { Call } from "../../lib/actor/call.ts";
import type { Self } from "../../lib/actor/self.ts";
import { bench, size } from "../kit.ts";
import { benchSystem } from "./system.ts";

const AT_ONCE = size(100, 3);

type Add = Call<{ readonly by: number }, number>;

const system = benchSystem();
let sum = 0;
const handler = system.spawn(
  undefined,
  undefined,
  (_self: Self<Add>) => (call) => call.reply(sum += call.request.by),
  [],
);
const loop = system.spawn(undefined, undefined, async (self: Self<Add>) => {
  for await (const call of self) call.reply(sum += call.request.by);
}, []);
system.names.register("adder", handler);

const group = "a call";
bench("of a handler", { group, baseline: true }, async () => {
  await system.call(handler, { by: 1 });
});
bench("of an async loop", { group }, async () => {
  await system.call(loop, { by: 1 });
});
bench("by name", { group }, async () => {
  await system.call<{ by: number }, number>("adder", { by: 1 });
});
bench("without a timeout", { group }, async () => {
  await system.call(handler, { by: 1 }, { timeout: Infinity });
});
const { signal } = new AbortController();
bench("with a signal", { group }, async () => {
  await system.call(handler, { by: 1 }, { signal });
});
bench(`${AT_ONCE} at once`, async () => {
  const answers = new Array<Promise<number>>(AT_ONCE);
  for (let i = 0; i < AT_ONCE; i++) answers[i] = system.call(handler, { by: 1 });
  await Promise.all(answers);
});
