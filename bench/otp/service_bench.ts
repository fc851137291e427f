/**
 * Question: what do a call and a cast of a service cost, compared with those of a plain actor?
 *
 * One iteration is one awaited call, or a thousand casts followed by one call.
 *
 * @module
 */
import type { Starter } from "../../lib/otp/start.ts";
import { service } from "../../lib/otp/service.ts";
import { bench, size } from "../kit.ts";
import { benchSystem } from "../actor/system.ts";

const CASTS = size(1000, 10);

const system = benchSystem();
const from: Starter = {
  spawn: (body, ...args) => system.spawn(undefined, undefined, body, args),
  call: (to, request, options) => system.call(to, request, options),
};
const counter = service<
  { state: number; call: { add(by: number): number }; cast: { add(by: number): void } }
>({
  init: () => 0,
  call: { add: (sum, by) => [sum + by, sum + by] },
  cast: { add: (sum, by) => sum + by },
});
const pid = await counter.start(from);
const call = counter.call(pid);
const cast = counter.cast(pid);

bench("a call of a service", { group: "a service" }, async () => {
  await call.add(1);
});
bench(`${CASTS} casts and a call`, { group: "a service" }, async () => {
  for (let i = 0; i < CASTS; i++) cast.add(1);
  await call.add(1);
});
