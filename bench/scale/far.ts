// deno-lint-ignore-file no-console -- its parent reads the lines
/**
 * The second node of the events in `event_list.ts`, in a separate process. Performs an action
 * `count` times, prints its name and the id of its first actor, and waits until it is killed.
 *
 *     deno run -A bench/scale/far.ts <near node> <what> <count>
 *
 * @module
 */
import process from "node:process";
import { Node } from "../../lib/node.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { COOKIE } from "./nodes.ts";

const [near, what, text] = process.argv.slice(2) as [string, string, string];
const count = Number(text);
const node = await Node.start({
  name: "far@127.0.0.1:0",
  cookie: COOKIE,
  seeds: [near],
  logLevel: "silent",
  warnings: { eventLoopDelay: Infinity },
});

function actor(): Pid<unknown> {
  return node.spawn(() => () => {});
}

const target = { name: "target", node: near };
let first = 0;
switch (what) {
  case "actors":
    first = actor().id + 1;
    for (let i = 0; i < count; i++) actor();
    break;
  case "monitors":
    node.spawn((self) => {
      for (let i = 0; i < count; i++) self.monitor(target);
      return () => {};
    });
    break;
  case "calls":
    for (let i = 0; i < count; i++) node.call(target, i, { timeout: Infinity }).catch(() => {});
    break;
  case "names": {
    const holder = actor();
    for (let i = 0; i < count; i += 500) {
      const most = Math.min(500, count - i);
      const window = Array.from(
        { length: most },
        (_, k) => node.global.register(`name ${i + k}`, holder),
      );
      await Promise.all(window);
    }
    break;
  }
  case "groups": {
    const member = actor();
    for (let i = 0; i < count; i++) node.groups.join(`group ${i}`, member);
    break;
  }
  case "members":
    for (let i = 0; i < count; i++) node.groups.join("group", actor());
    break;
  case "rooms":
    for (let i = 0; i < count; i++) node.rooms.join(`room ${i}`, { sendShared() {} });
    break;
}
console.log(JSON.stringify({ name: node.name, first }));
setTimeout(() => process.exit(0), 120_000);
