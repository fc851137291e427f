/**
 * A program that forgets to await what fails, in every way, and lives on. Arguments: "listener" adds a
 * listener for rejections of its own; "other" forgets something that is no affair of a node's, which ends
 * the program.
 */
import process from "node:process";
import { type Call, Node, type Pid, type Self } from "../../mod.ts";

const said: string[] = [];
const node = await Node.start({
  cookie: "forgotten",
  logLevel: "error",
  log: ({ line }) => void said.push(line.split("\n")[0]!),
});
const heard: string[] = [];
if (process.argv[2] === "listener") {
  process.on("unhandledRejection", (reason) => void heard.push(`${reason}`));
}

/** Answers nothing, or refuses with a reason that is no error. */
const mute = node.spawn(() => (call: Call<string, never>) => {
  if (call.request.startsWith("refused")) call.refuse(call.request);
});

/** Ways of not awaiting a call. */
const WAYS: readonly [string, (failing: Promise<unknown>) => unknown][] = [
  ["alone", () => {}],
  ["then", (failing) => void failing.then(() => {})],
  ["thens", (failing) => void failing.then(() => {}).then(() => {})],
  ["finally", (failing) => void failing.finally(() => {})],
  ["helper", (failing) => void (async () => await failing)()],
  ["all", (failing) => void Promise.all([failing])],
];
/** Ways in which one fails: at once, later, and with a reason that is no object. */
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
// One error for the calls of two: each ends.
const shared = new AbortController();
for (let i = 0; i < 2; i++) {
  const body = (self: Self<string>) => () =>
    void self.call(mute, "aborted", { signal: shared.signal });
  pids.push(node.spawn(body));
  node.send(pids.at(-1)!, "go");
  expected++;
}
setTimeout(() => shared.abort(new Error("shared")), 5);
// Those that are awaited in time end nothing.
const careful = node.spawn((self: Self<string>) => async () => {
  const late = self.call(mute, "awaited", { timeout: 5 });
  await Promise.allSettled([late, self.call(mute, "refused and awaited")]);
  await late.catch(() => {});
});
node.send(careful, "go");
// What a dead actor has called is over: nobody's failure.
const dead = node.spawn((self: Self<string>) => () => {
  self.call(mute, "of the dead");
  self.exit("normal");
});
node.send(dead, "go");
const deadline = performance.now() + 10_000;
while (said.length < expected && performance.now() < deadline) {
  await new Promise((turn) => setTimeout(turn, 5));
}
await new Promise((turn) => setTimeout(turn, 50));
const alive = pids.filter((pid) => node.isAlive(pid)).length;
process.stdout.write(JSON.stringify({ alive, heard, careful: node.isAlive(careful), said }));
if (process.argv[2] === "other") {
  Promise.reject(new Error("no affair of a node's"));
  await new Promise((turn) => setTimeout(turn, 100));
  process.stdout.write("it lives");
}
// What fails with the node ends nothing either.
node.call(mute, "at the end");
await node.stop();
await new Promise((turn) => setTimeout(turn, 20));
