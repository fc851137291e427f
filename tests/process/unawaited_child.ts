/**
 * A program with failing calls that are not awaited, in every way. Arguments: "listener" adds its
 * own listener for rejections; "other" leaves a rejection that does not belong to a node, which
 * ends the program.
 */
import process from "node:process";
import { type Call, Node, type Pid, type Self } from "../../mod.ts";

const logged: string[] = [];
const node = await Node.start({
  cookie: "forgotten",
  logLevel: "error",
  log: ({ line }) => void logged.push(line.split("\n")[0]!),
});
const observed: string[] = [];
if (process.argv[2] === "listener") {
  process.on("unhandledRejection", (reason) => void observed.push(`${reason}`));
}

/** An actor that does not answer calls, or rejects them with a reason that is not an error. */
const mute = node.spawn(() => (call: Call<string, never>) => {
  if (call.request.startsWith("refused")) call.refuse(call.request);
});

/** Ways not to await a call. */
const WAYS: readonly [string, (failing: Promise<unknown>) => unknown][] = [
  ["alone", () => {}],
  ["then", (failing) => void failing.then(() => {})],
  ["thens", (failing) => void failing.then(() => {}).then(() => {})],
  ["finally", (failing) => void failing.finally(() => {})],
  ["helper", (failing) => void (async () => await failing)()],
  ["all", (failing) => void Promise.all([failing])],
];
/** Ways in which a call fails: at once, later, or with a reason that is not an object. */
const CALLS: readonly [string, (from: Self<string> | Node, name: string) => Promise<unknown>][] = [
  ["noproc", (from, name) => from.call("nobody", name)],
  ["late", (from, name) => from.call(mute, name, { timeout: 5 })],
  ["refused", (from, name) => from.call(mute, name)],
];

const pids: Pid<string>[] = [];
let expected = 0;
for (const [how, call] of CALLS) {
  for (const [way, forget] of WAYS) {
    const name = `${how} ${way}`;
    const body = (self: Self<string>) => () => void forget(call(self, name));
    pids.push(node.spawn(body));
    node.send(pids.at(-1)!, "go");
    forget(call(node, `${name} outside`));
    expected += 2;
  }
}
// The calls of two actors fail with the same error, and both actors exit.
const shared = new AbortController();
for (let i = 0; i < 2; i++) {
  const body = (self: Self<string>) => () =>
    void self.call(mute, "aborted", { signal: shared.signal });
  pids.push(node.spawn(body));
  node.send(pids.at(-1)!, "go");
  expected++;
}
setTimeout(() => shared.abort(new Error("shared")), 5);
// A failed call that is awaited in time does not end the actor.
const careful = node.spawn((self: Self<string>) => async () => {
  const late = self.call(mute, "awaited", { timeout: 5 });
  await Promise.allSettled([late, self.call(mute, "refused and awaited")]);
  await late.catch(() => {});
});
node.send(careful, "go");
// The calls of an exited actor have ended, so no failure is reported.
const dead = node.spawn((self: Self<string>) => () => {
  self.call(mute, "of the dead");
  self.exit("normal");
});
node.send(dead, "go");
const deadline = performance.now() + 10_000;
while (logged.length < expected && performance.now() < deadline) {
  await new Promise((turn) => setTimeout(turn, 5));
}
await new Promise((turn) => setTimeout(turn, 50));
const alive = pids.filter((pid) => node.isAlive(pid)).length;
process.stdout.write(JSON.stringify({ alive, observed, careful: node.isAlive(careful), logged }));
if (process.argv[2] === "other") {
  Promise.reject(new Error("unrelated to a node"));
  await new Promise((turn) => setTimeout(turn, 100));
  process.stdout.write("it lives");
}
// A call that fails because its node stops does not end the program either.
node.call(mute, "at the end");
await node.stop();
await new Promise((turn) => setTimeout(turn, 20));
