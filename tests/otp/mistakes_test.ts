/**
 * Tests the compiler's error messages for typical mistakes with services, children and remote
 * spawns. A message must name the part that is wrong and the expected type.
 */
import { assert, assertEquals } from "@std/assert";
import { compilerErrors } from "../kit/compile.ts";
import { runtime, test } from "../kit/test.ts";

/** The source code with which each checked program begins. */
const HEAD = `
import {
  Call, continueWith, DynamicSupervisor, Node, noReply, Pid, remote, type Self, type Service, service,
  stopService, Supervisor, task,
} from "@firn/firn";
export { Call, continueWith, noReply, Pid, remote, service, stopService, task };
declare const node: Node, tree: Supervisor, pool: DynamicSupervisor;
interface Counter {
  state: { n: number };
  start: [first: number];
  call: { get(): number; add(by: number): number };
  cast: { reset(): void; set(to: number): void };
}
interface Greeter {
  state: string;
  call: { hi(): string };
}
declare const counter: Service<Counter>, greeter: Service<Greeter>;
const init = (n: number) => ({ n });
declare const call: {
  get(s: { n: number }): [number, { n: number }];
  add(s: { n: number }, by: number): [number, { n: number }];
};
const cast = { reset: () => ({ n: 0 }), set: (_: unknown, n: number) => ({ n }) };
const pid = await counter.start(node, 1);
const job = remote("job", (_self: Self<string>, _n: number) => (_m) => {});
void [tree, pool, greeter, init, call, cast, pid, job];
`;

interface Mistake {
  readonly code: string;
  /** Parts of the expected error message. */
  readonly expected: readonly string[];
}

const MISTAKES: Readonly<Record<string, Mistake>> = {
  "a call handler that does not return a pair": {
    code: `service<Counter>({ init, cast, call: { ...call, get: (s) => s.n } });`,
    expected: ["Type 'number' is not assignable to type 'Answer<number, { n: number; }>'"],
  },
  "a call handler that replies with another type": {
    code: "service<Counter>({ init, cast, call: { ...call, get: (s) => [`${s.n}`, s] } });",
    expected: ["Type 'string' is not assignable to type 'number'"],
  },
  "a call handler with another state": {
    code: `service<Counter>({ init, cast, call: { ...call, get: (s) => [s.n, "wrong"] } });`,
    expected: [
      "Type 'string' is not assignable to type '{ n: number; } | Outcome<{ n: number; }>'",
    ],
  },
  "a call handler that swaps reply and state": {
    code: `service<Counter>({ init, cast, call: { ...call, get: (s) => [s, s.n] } });`,
    expected: ["Type '{ n: number; }' is not assignable to type 'number'"],
  },
  "a call handler that returns nothing": {
    code: `service<Counter>({ init, cast, call: { ...call, get: (s) => { s.n++; } } });`,
    expected: ["Type 'void' is not assignable to type 'Answer<number, { n: number; }>'"],
  },
  "a call handler that does not await its state": {
    code:
      `service<Counter>({ init, cast, call: { ...call, get: (s) => [s.n, Promise.resolve(s)] } });`,
    expected: [
      "Type 'Promise<{ n: number; }>' is not assignable to type '{ n: number; } | Outcome",
    ],
  },
  "a cast handler that returns another type": {
    code: "service<Counter>({ init, call, cast: { ...cast, set: (_s, to) => `${to}` } });",
    expected: ["Type 'string' is not assignable to type 'Next<{ n: number; }>'"],
  },
  "a cast handler that returns nothing": {
    code: `service<Counter>({ init, call, cast: { ...cast, set: (s, to) => { s.n = to; } } });`,
    expected: ["Type 'void' is not assignable to type 'Next<{ n: number; }>'"],
  },
  "a handler of another state": {
    code: `service<Counter>({ init, cast, call: { ...call, get: (s: string) => [1, s] } });`,
    expected: ["Types of parameters 's' and 'state' are incompatible"],
  },
  "an init of another state": {
    code: `service<Counter>({ call, cast, init: (first) => first });`,
    expected: ["Type 'number' is not assignable to type 'Next<{ n: number; }>'"],
  },
  "a handler that is missing": {
    code: `service<Counter>({ init, call, cast: { reset: () => ({ n: 0 }) } });`,
    expected: ["Property 'set' is missing"],
  },
  "a handler with a wrong name": {
    code: `service<Counter>({ init, cast, call: { ...call, gett: (s) => [s.n, s] } });`,
    expected: ["'gett' does not exist", "Did you mean to write 'get'?"],
  },
  "all casts missing": {
    code: `service<Counter>({ init, call });`,
    expected: ["to parameter of type 'ServiceDefinition<Counter>'", "Property 'cast' is missing"],
  },
  "a definition with a wrong part": {
    code: `service<Counter>({ init, call, cast, calls: {} });`,
    expected: [
      "'calls' does not exist in type 'ServiceDefinition<Counter>'",
      "Did you mean to write 'call'?",
    ],
  },
  "a protocol with a wrong part": {
    code: `service<{ state: number; calls: { get(): number } }>({ init: () => 0 });`,
    expected: ["calls is not part of a protocol: use state, start, call, cast, info"],
  },
  "no protocol": {
    code: `service({ init: (first: number) => first });`,
    expected: ["write the protocol: service<{ state: …; call: { … } }>({ … })"],
  },
  "this in an arrow function": {
    code:
      `service<Greeter>({ init: () => { this.self.register("x"); return ""; }, call: { hi: (s) => [s, s] } });`,
    expected: ["Object is possibly 'undefined'", "this.self"],
  },
  "this.call in a cast": {
    code:
      `service<{ state: number; cast: { x(): void } }>({ init: () => 0, cast: { x(s) { this.call; return s; } } });`,
    expected: ["Property 'call' does not exist on type 'ServiceContext<"],
  },
  "a later reply of another type": {
    code:
      `service<Greeter>({ init: () => "", call: { hi(s) { this.call.reply(3); return noReply(s); } } });`,
    expected: ["Argument of type 'number' is not assignable to parameter of type 'string'"],
  },
  "a stop with another state": {
    code: `service<Greeter>({ init: () => "", call: { hi: () => stopService("normal", 3) } });`,
    expected: ["Type 'Outcome<number>' is not assignable to type 'Outcome<string>'"],
  },
  "a wrong argument of start": {
    code: `counter.start(node, "1");`,
    expected: ["Argument of type 'string' is not assignable to parameter of type 'number'"],
  },
  "a missing argument of start": {
    code: `counter.start(node);`,
    expected: ["Expected 2 arguments, but got 1"],
  },
  "a wrong argument of a call": {
    code: `counter.call(pid).add("3");`,
    expected: ["Argument of type 'string' is not assignable to parameter of type 'number'"],
  },
  "an unknown call": {
    code: `counter.call(pid).sub(3);`,
    expected: ["'sub' does not exist", "get: () => Promise<number>; add: (by: number) =>"],
  },
  "a call used as a cast": {
    code: `counter.cast(pid).add(3);`,
    expected: ["'add' does not exist", "reset: () => void; set: (to: number) => void;"],
  },
  "a reply taken for another type": {
    code: `export const s: string = await counter.call(pid).get();`,
    expected: ["Type 'number' is not assignable to type 'string'"],
  },
  "the pid of another kind of service": {
    code: `greeter.call(pid).hi();`,
    expected: [
      "'ServicePid<Counter>' is not assignable to parameter of type 'ServiceTarget<Greeter>'",
    ],
  },
  "the name of another kind of service": {
    code: `greeter.call(counter.at(node, "x")).hi();`,
    expected: ["'ServiceName<Counter>' is not assignable to type 'ServiceName<Greeter>'"],
  },
  "the pid of an actor that is not a service": {
    code: `greeter.call(node.spawn((_self: Self<string>) => () => {})).hi();`,
    expected: ["'Pid<string>' is not assignable to parameter of type 'ServiceTarget<Greeter>'"],
  },
  "a message that info does not accept": {
    code:
      `const s = service<{ state: number; info: "tick" }>({ init: () => 0, info: (n) => n });\nnode.send(await s.start(node), "tock");`,
    expected: [`'"tock"' is not assignable to parameter of type '"tick"'`],
  },
  "a wrong argument of a remote spawn": {
    code: `node.spawn(job.on("b@host:1"), "x");`,
    expected: ["Argument of type 'string' is not assignable to parameter of type 'number'"],
  },
  "a wrong message to the pid of a remote spawn": {
    code: `node.send(await node.spawn(job.on("b@host:1"), 3), 4);`,
    expected: ["Argument of type 'number' is not assignable to parameter of type 'string'"],
  },
  "another function started as a service": {
    code: `counter.startAt(node, job.on("b@host:1"), 3);`,
    expected: ["'RemoteSpawn<string, [_n: number]>' is not assignable to parameter of type"],
  },
  "wrong arguments of a remote child": {
    code: `job.child({ id: "x", node: "b@host:1", args: ["x"] });`,
    expected: ["Type 'string' is not assignable to type 'number'"],
  },
  "no arguments of a remote child": {
    code: `job.child({ id: "x", node: "b@host:1" });`,
    expected: ["Property 'args' is missing", "required in type '{ readonly args: [_n: number]; }'"],
  },
  "a child with start and node": {
    code:
      `Supervisor.start(node, { children: [{ id: "x", node: "b@host:1", start: (self) => counter.start(self, 1) }] });`,
    expected: ["property 'node'", "is not assignable to type 'EitherStartOrNodeAndFn'"],
  },
  "a child with start and node, added later": {
    code:
      `tree.startChild({ id: "x", node: "b@host:1", start: (self) => counter.start(self, 1) });`,
    expected: ["property 'node'", "is not assignable to type 'EitherStartOrNodeAndFn'"],
  },
  "a dynamic child with start and node": {
    code: `pool.startChild({ node: "b@host:1", start: (self) => counter.start(self, 1) });`,
    expected: ["property 'node'", "is not assignable to type 'EitherStartOrNodeAndFn'"],
  },
  "a wrong restart": {
    code:
      `tree.startChild({ id: "x", restart: "always", start: (self) => counter.start(self, 1) });`,
    expected: [`'"always"' is not assignable to type '"permanent" | "transient" | "temporary"`],
  },
  "an unknown event": {
    code: `node.on("nodeUp", () => {});`,
    expected: [`'"nodeUp"' is not assignable to parameter of type`, `"nodeup" | "nodedown"`],
  },
  "the pid of a dynamic child that is another kind of service": {
    code:
      `greeter.call(await pool.startChild({ start: (self: Self) => counter.start(self, 1) })).hi();`,
    expected: [
      "'ServicePid<Counter>' is not assignable to parameter of type 'ServiceTarget<Greeter>'",
    ],
  },
  "the result of a task taken for another type": {
    code: `export const s: string = await task.await(task.async(node, () => 3));`,
    expected: ["Type 'number' is not assignable to type 'string'"],
  },
};

/** Valid programs. They must compile with `isolatedDeclarations`. */
const PROGRAMS: Readonly<Record<string, string>> = {
  "an exported service": `
import { type Service, service } from "@firn/firn";
export interface Counter {
  state: { readonly n: number };
  start: [first: number, step?: number];
  call: { get(): number; add(by?: number): Promise<number> };
  cast: { reset(): void };
  info: "tick";
}
export const counter: Service<Counter> = service({
  name: "counter",
  init(first, step = 1) {
    this.self.sendInterval(this.self.pid, "tick", step);
    return { n: first };
  },
  call: {
    get: (s) => [s.n, s],
    async add(s, by = 1) {
      await null;
      return [s.n + by, { n: s.n + by }];
    },
  },
  cast: { reset: () => ({ n: 0 }) },
  info: (s, message) => message === "tick" ? { n: s.n + 1 } : s,
});`,
  "a service exported from a function": `
import { type Service, service } from "@firn/firn";
export interface Store {
  state: ReadonlyMap<string, string>;
  call: { get(key: string): string | undefined };
  cast: { set(key: string, value: string): void };
}
export function storeOf(prefix: string): Service<Store> {
  return service({
    init: () => new Map(),
    call: { get: (map, key) => [map.get(prefix + key), map] },
    cast: { set: (map, key, value) => new Map([...map, [prefix + key, value]]) },
  });
}`,
  "all outcomes": `
import { Call, continueWith, Node, noReply, service, type ServicePid, stopService } from "@firn/firn";
interface Gate {
  state: Call<unknown, string>[];
  call: { enter(): string; close(): number; work(): void };
  cast: { open(): void };
}
const gate = service<Gate>({
  init: () => continueWith([], 1),
  continue: (state, value) => value === 1 ? continueWith(state) : stopService("normal", state),
  call: {
    enter(state) {
      return noReply([...state, this.call]);
    },
    close: (state) => [1, stopService("normal", state)],
    work: async (state) => [undefined, continueWith(state)],
  },
  cast: {
    open(state) {
      for (const call of state) call.reply("welcome");
      return [];
    },
  },
  terminate: () => {},
});
declare const node: Node;
const pid: ServicePid<Gate> = await gate.start(node);
node.send(pid, "anything");
gate.cast(gate.at(node.global, "gate")).open();`,
  "children and pids without casts": `
import {
  DynamicSupervisor, Node, type Pid, remote, type Self, service, type ServicePid, Supervisor,
} from "@firn/firn";
interface Counter {
  state: number;
  start: [first: number];
  call: { get(): number };
}
const counter = service<Counter>({
  init: (first) => first,
  call: { get: (n) => [n, n] },
});
const worker = (_self: Self<string>, _name: string) => (_message: string) => {};
const job = remote("worker", worker);
declare const node: Node;
const tree = await Supervisor.start(node, {
  children: [
    { id: "w", start: (self) => self.spawnLink(worker, "w") },
    { id: "c", start: (self) => counter.start(self, 1) },
    job.child({ id: "j", node: "any", args: ["j"] }),
  ],
});
for (const child of await tree.whichChildren()) {
  if (child.pid === undefined) continue;
  node.send(child.pid, "a message");
  if (child.id === "c") await counter.call(child.pid).get();
}
const added = await tree.startChild({ id: "d", start: (self) => counter.start(self, 1) });
await counter.call(added).get();
const pool = await DynamicSupervisor.start(node);
const pid = await pool.startChild({ start: (self) => self.spawnLink(worker, "x") });
node.send(pid, "a message");
await pool.startChild(job.child({ id: "y", node: "any", args: ["y"] }));
node.groups.join("workers", pid);
for (const member of node.groups.members<Pid<string>>("workers")) node.send(member, "a message");
const found = node.global.whereis<ServicePid<Counter>>("counter");
if (found !== undefined) await counter.call(found).get();
await counter.call(counter.at(node.global, "counter")).get();`,
};

test(
  "each typical mistake in the types of a program has a compiler error that names the wrong part",
  {
    // Runs on Deno only, because it starts Deno's compiler.
    ignore: runtime === "bun",
  },
  async () => {
    const names = [...Object.keys(MISTAKES), ...Object.keys(PROGRAMS)];
    const files = Object.fromEntries(names.map((name, i) => [
      `p${i}`,
      PROGRAMS[name] ?? `${HEAD}${MISTAKES[name]!.code}\n`,
    ]));
    const errors = await compilerErrors(files);
    const problems: string[] = [];
    for (const [i, name] of names.entries()) {
      const error = errors[`p${i}`]!;
      const missing = (MISTAKES[name]?.expected ?? []).filter((part) => !error.includes(part));
      if (missing.length > 0) {
        problems.push(`${name}: lacks ${missing.join(" and ")} in:\n${error}`);
      }
      if (name in PROGRAMS && error !== "") problems.push(`${name} must compile:\n${error}`);
    }
    assertEquals(problems.join("\n"), "");
    assert(Object.keys(MISTAKES).length >= 10);
  },
);
