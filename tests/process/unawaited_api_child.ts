/**
 * A program whose actors do not await the results of nodes, services, supervisors and tasks. Prints
 * the actors that are still alive, and the log.
 */
import process from "node:process";
import { DynamicSupervisor, Node, type Self, service, Supervisor, task } from "../../mod.ts";
import { pool } from "../../lib/otp/pool.ts";

const cookie = "the same on both nodes";
const open = (name: string): Promise<Node> =>
  Node.start({ name: `${name}@127.0.0.1:0`, cookie, logLevel: "silent" });
const [node, other, plain] = await Promise.all([
  open("a"),
  open("b"),
  Node.start({ logLevel: "silent" }),
]);
await node.connect(other.name);

const boom = (): never => {
  throw new Error("boom");
};
const empty = service<{ state: number }>({
  name: "empty",
  init() {
    this.self.register("empty");
    return 0;
  },
});
const newer = service<{ state: number; call: { more(): number } }>({
  init: () => 0,
  call: { more: (n) => [n, n] },
});
other.expose(empty);
while (!node.exposed(other.name).includes("empty")) {
  await new Promise((turn) => setTimeout(turn, 5));
}
const far = await empty.startAt(node, empty.on(other.name));
const named = newer.at(node, { name: "empty", node: other.name });

const jobs = await pool({ name: "jobs", worker: boom }).start(node);
const dead = node.spawn(() => {});
while (node.isAlive(dead)) await new Promise((turn) => setTimeout(turn, 1));

/** The calls that are not awaited, and the names of their errors. */
const UNAWAITED: Readonly<Record<string, (self: Self) => unknown>> = {
  "connect NodeConnectError": () => node.connect("c@127.0.0.1:1"),
  "serve OptionError": () => plain.serve({ backpressureLimit: -1 }),
  "changeCookie CookieError": () => node.changeCookie(""),
  "leave OptionError": () => plain.leave({ timeout: -1 }),
  "register NameError": (self) => node.global.register("", self.pid),
  "reregister NameError": (self) => node.global.reregister("", self.pid),
  "waitFor NameTimeoutError": () => node.global.waitFor("nothing", { timeout: 1 }),
  "singleton NameError": () => node.global.singleton("", { id: "one", start: boom }),
  "Supervisor.start SupervisorError": () =>
    Supervisor.start(node, { children: [{ id: "child", start: boom }] }),
  "task.map TaskExitError": () => task.map(node, [1], boom),
  "Supervisor.start ChildSpecError": () => Supervisor.start(node, { children: [{} as never] }),
  "DynamicSupervisor.start ArgumentError": () => DynamicSupervisor.start(node, { intensity: -1 }),
  "disconnect NodeNameError": () => node.disconnect("b"),
  "drained NodeNameError": () => node.drained("b"),
  "addAll JobError": () => jobs.addAll([[]]),
  "Job.result JobError": () => jobs.add().result.then(() => {}),
  "info ObserveError": () => node.info(dead),
  "top ObserveError": () => node.top({ by: "nothing" as never }),
  "stats ObserveError": () => node.stats({ node: "c@127.0.0.1:1" }),
  "sys.suspend ObserveError": () => node.sys.suspend(dead),
  "spawn SpawnError": (self) => self.spawn({ node: other.name, fn: "nothing" }),
  "spawnMonitor SpawnError": (self) => self.spawnMonitor({ node: "c@127.0.0.1:1", fn: "nothing" }),
  "call by pid UnknownCallError": () => newer.call(far as never).more(),
  "call by name UnknownCallError": () => newer.call(named).more(),
};

const reports: string[] = [];
for (const each of [node, plain]) {
  each.on("crash", ({ body, reason, unhandled }) => {
    if (unhandled) reports.push(`${body} ${(reason as Error).name}`);
  });
}
const pids = [];
const until = async (count: number): Promise<void> => {
  const deadline = performance.now() + 10_000;
  while (reports.length < count && performance.now() < deadline) {
    await new Promise((turn) => setTimeout(turn, 5));
  }
};
const begin = (name: string, forget: (self: Self) => unknown): void => {
  // Names the actor's function after the call whose result it does not await.
  const { [name]: body } = { [name]: (self: Self) => () => void forget(self) };
  // The call must be made on the node whose actor is running.
  const home = /^(serve|leave)/.test(name) ? plain : node;
  const pid = home.spawn(body!);
  pids.push(pid);
  home.send(pid, "go");
};
for (const [name, forget] of Object.entries(UNAWAITED)) begin(name, forget);
await until(pids.length);
await jobs.stop();
await node.disconnect(other.name);
begin("stop NoConnectionError", () => empty.stop(far));
await until(pids.length);
const alive = node.actors().length + plain.actors().length;
process.stdout.write(JSON.stringify({ expected: pids.length, alive, reports }));
await Promise.all([node, other, plain].map((each) => each.stop()));
