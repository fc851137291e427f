/**
 * A program that forgets to await what fails, in every way, and lives on. With an argument it forgets
 * something that is no affair of a node's, which ends it.
 */
import process from "node:process";
import { Node, type Pid, type Self } from "../../mod.ts";

const said: string[] = [];
const node = await Node.start({
  cookie: "forgotten",
  logLevel: "error",
  log: (_level, line) => void said.push(line.split("\n")[0]!),
});
const pids = [
  (self: Self) => void self.call("nobody", "alone"),
  (self: Self) => void self.call("nobody", "then").then(() => {}),
  (self: Self) => void (async () => await self.call("nobody", "helper"))(),
  (self: Self) => void Promise.all([self.call("nobody", "all")]),
].map((forget) => node.spawn((self: Self) => () => forget(self)) as Pid<unknown>);
for (const pid of pids) node.send(pid, "go");
void node.call("nobody", "outside");
void (async () => await node.call("nobody", "outside, in a helper"))();
while (said.length < 6) await new Promise((turn) => setTimeout(turn, 5));
process.stdout.write(JSON.stringify({ alive: pids.map((pid) => node.isAlive(pid)), said }));
if (process.argv[2] === "other") {
  Promise.reject(new Error("no affair of a node's"));
  await new Promise((turn) => setTimeout(turn, 100));
  process.stdout.write("it lives");
}
await node.stop();
