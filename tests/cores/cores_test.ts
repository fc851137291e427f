import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import net from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { core, type Cores, cores, CoresError, type CoresOptions } from "../../lib/cores/cores.ts";
import { Backoff, encodeReport, parseLine } from "../../lib/cores/protocol.ts";
import type { Child } from "../../lib/host/host.ts";
import { serve } from "../../lib/serve.ts";
import { systemHost } from "../../lib/start.ts";
import { runtime, test, until } from "../kit/test.ts";

const fileOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Starts workers for a test. `printed` contains their output. */
async function start(options: CoresOptions = {}): Promise<{ group: Cores; printed: string[] }> {
  const printed: string[] = [];
  const group = await cores(fileOf("./worker.ts"), {
    count: 2,
    signals: false,
    print: (line, node) => printed.push(`${node.replace(/:.*/, "")} ${line}`),
    ...options,
  });
  return { group, printed };
}

/** A client that sends one request at a time. */
class Client {
  readonly socket: WebSocket;
  readonly opened: Promise<void>;
  /** Resolves to the close code. */
  readonly closed: Promise<number>;
  #answer: ((text: string | undefined) => void) | undefined;

  constructor(port: number) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    this.opened = new Promise((opened, failed) => {
      this.socket.onopen = () => opened();
      this.socket.onerror = () => failed(new Error("the connection failed"));
    });
    this.closed = new Promise((closed) => {
      this.socket.onclose = ({ code }) => {
        closed(code);
        this.#answer?.(undefined);
      };
    });
    this.socket.onmessage = ({ data }) => this.#answer?.(data);
  }

  /** Resolves to the reply, or to undefined if the connection was closed before the reply. */
  ask(what: string): Promise<string | undefined> {
    if (this.socket.readyState !== WebSocket.OPEN) return Promise.resolve(undefined);
    return new Promise((answer) => {
      this.#answer = answer;
      this.socket.send(what);
    });
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

/** Returns a client of each worker. */
async function clientOfEach({ port }: Cores, count: number): Promise<Client[]> {
  const found = new Map<string, Client>();
  for (let tries = 0; found.size < count; tries++) {
    assert(tries < 200, "all connections reach the same worker");
    const client = new Client(port);
    await client.opened;
    const name = (await client.ask("name"))!;
    if (found.has(name)) await client.close();
    else found.set(name, client);
  }
  return [...found].sort(([a], [b]) => a < b ? -1 : 1).map(([, client]) => client);
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/**
 * Maximum time in milliseconds from the limit until a blocked worker is killed: one second with
 * `FIRN_LONG=1`, and more on a machine that runs other tests.
 */
const LATE_MS = process.env["FIRN_LONG"] === "1" ? 1_000 : 10_000;

test("parseLine finds a report that follows other output in its line", () => {
  const line = encodeReport("t1", { kind: "ready", node: "core1@127.0.0.1:4000" }).trimEnd();
  const report = { kind: "ready" as const, node: "core1@127.0.0.1:4000" };
  assertEquals(parseLine("t1", line), { text: "", report });
  assertEquals(parseLine("t1", `half a line${line}`), { text: "half a line", report });
  // The line has the token of another worker, so it is not a report.
  assertEquals(parseLine("t2", line), { text: line, report: undefined });
});

test("Backoff doubles the delay with each crash, and resets after a quiet period", () => {
  const backoff = new Backoff();
  const delays = [1, 1, 1, 9_999, 1, 1, 1, 1].map((ranMs) => backoff.next(ranMs));
  assertEquals(delays, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000]);
  assertEquals([backoff.next(10_000), backoff.next(0)], [100, 200]);
});

test("cores runs the nodes of one cluster on one port, and replaces workers that end or hang", async () => {
  const blockedAfter = 1_000;
  const { group, printed } = await start({ blockedAfter });
  await using _ = group;
  assertEquals(group.workers().map(({ core, ready }) => [core, ready]), [[1, true], [2, true]]);
  const [one, two] = await clientOfEach(group, 2);
  assertMatch((await one!.ask("name"))!, /^core1@127\.0\.0\.1:\d+ 1\/2$/);
  await until("the workers are connected", async () => await two!.ask("peers") === "1");
  // The room spans both workers. The other worker learns of the member shortly after it joined.
  two!.socket.send("join");
  await two!.ask("name");
  let received: unknown;
  two!.socket.onmessage = ({ data }) => received = data;
  await until("the member on the other worker has received the message", () => {
    if (received === undefined) one!.socket.send("hello");
    return received !== undefined;
  });
  assertEquals(received, "hello");
  assert(printed.includes("core1 without a line end"), printed.join());

  const replaced = async (core: number, harm: (pid: number) => void): Promise<number> => {
    const { pid } = group.workers().find((each) => each.core === core)!;
    harm(pid);
    const harmedAt = performance.now();
    await until(`worker ${core} has exited`, () => !isAlive(pid));
    const ms = performance.now() - harmedAt;
    const isBack = (): boolean =>
      group.workers().some((each) => each.core === core && each.ready && each.pid !== pid);
    await until(`worker ${core} runs again`, isBack);
    return ms;
  };
  await replaced(1, () => one!.socket.send("crash"));
  const blockedMs = await replaced(2, () => two!.socket.send("block"));
  assert(blockedMs <= blockedAfter + LATE_MS, `killed after ${blockedMs} ms`);
  const stoppedMs = await replaced(1, (pid) => process.kill(pid, "SIGSTOP"));
  assert(stoppedMs <= blockedAfter + LATE_MS, `killed after ${stoppedMs} ms`);
  const clients = await clientOfEach(group, 2);
  await until(
    "the workers are connected again",
    async () => await clients[0]!.ask("peers") === "1",
  );
  for (const client of clients) await client.close();
});

/**
 * Connects, sends a request and closes, repeatedly, until `isOver` returns true. Counts successes
 * and failures.
 */
async function load(port: number, isOver: () => boolean, count: Record<string, number>) {
  while (!isOver()) {
    await new Promise<void>((done) => {
      let answer = "";
      const socket = net.connect(port, "127.0.0.1", () => {
        socket.write("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
      });
      socket.setEncoding("latin1").on("data", (text) => answer += text).on("error", () => {});
      socket.on("close", () => {
        const what = answer.startsWith("HTTP/1.1 200") ? "answered" : "failed";
        count[what]! += 1;
        done();
      });
    });
  }
}

test("Cores.reload replaces all workers under load without failing a connection", async () => {
  const { group } = await start();
  await using _ = group;
  const before = group.workers();
  let over = false;
  const count = { answered: 0, failed: 0 };
  const loads = Array.from({ length: 8 }, () => load(group.port, () => over, count));
  // Opens clients that reconnect at once when the server asks them to.
  const codes: number[] = [];
  let acknowledged = 0;
  const talks = Array.from({ length: 20 }, async () => {
    for (let sent = 0; !over;) {
      const client = new Client(group.port);
      await client.opened;
      while (!over && await client.ask("name") !== undefined) {
        acknowledged++;
        sent++;
        await new Promise((later) => setTimeout(later, 5));
      }
      if (over) await client.close();
      else codes.push(await client.closed);
    }
  });
  await group.reload();
  over = true;
  await Promise.all([...loads, ...talks]);
  const after = group.workers();
  assertEquals(after.map(({ core, ready }) => [core, ready]), [[1, true], [2, true]]);
  for (const { pid } of before) assert(!isAlive(pid) && after.every((each) => each.pid !== pid));
  assert(count.answered > 500 && acknowledged > 100, JSON.stringify({ ...count, acknowledged }));
  assertEquals(new Set(codes), new Set([1012]));
  // Without `tcp_migrate_req` the kernel may reset a connection that arrives while the socket
  // closes.
  assert(count.failed <= 1 + count.answered / 1_000, JSON.stringify(count));
});

test("cores rejects if a worker fails to start", async () => {
  const options = { count: 1, signals: false, print: () => {} };
  const error = await assertRejects(
    () => cores(fileOf("./failing_worker.ts"), options),
    CoresError,
  );
  assertEquals(error.code, "nostart");
  assertMatch(error.message, /has ended: 1, before it was ready/);
  // A worker also ends if its server cannot listen.
  await using taken = await serve({ port: 0, message: () => {} });
  const noPort = await assertRejects(
    () => cores(fileOf("./taken_worker.ts"), { ...options, args: [String(taken.port)] }),
    CoresError,
  );
  assertMatch(noPort.message, /has ended: 1, before it was ready/);
  const { group } = await start({ count: 1, startTimeout: 30_000 });
  await using _ = group;
  const [worker] = group.workers();
  const stopping = group.reload();
  // The new worker is killed before it is ready.
  const failed = assertRejects(() => stopping, CoresError, "before it was ready");
  await group.stop();
  await failed;
  assert(!isAlive(worker!.pid));
});

test("cores and core report invalid arguments", async () => {
  const file = fileOf("./worker.ts");
  const cases: [object, string][] = [
    [{ count: 0 }, "option count is 0"],
    [{ count: 1.5 }, "option count is 1.5"],
    [{ cout: 1 }, 'there is no option "cout"'],
  ];
  for (const [options, words] of cases) {
    const error = await assertRejects(() => cores(file, options), CoresError, words);
    assertEquals(error.code, "badoption");
  }
  assertEquals((await assertRejects(() => core(() => {}), CoresError)).code, "noparent");
});

/** Starts the parent program in a separate process. */
function startParent(): { child: Child; lines: string[]; workers: () => { pid: number }[] } {
  const lines: string[] = [];
  const child = systemHost().spawn({ runtime, file: fileOf("./parent.ts"), errors: () => {} });
  child.lines((line) => lines.push(line));
  const workers = (): { pid: number }[] => {
    const last = lines.findLast((line) => line.startsWith("workers "));
    return last === undefined
      ? []
      : JSON.parse(last.slice(8)).filter((each: { ready: boolean }) => each.ready);
  };
  return { child, lines, workers };
}

test("cores replaces its workers on SIGHUP, and stops them on SIGTERM", async () => {
  const { child, lines, workers } = startParent();
  await until("the worker is ready", () => workers().length === 1);
  const [{ pid }] = workers() as [{ pid: number }];
  process.kill(child.pid, "SIGHUP");
  await until(
    "the worker is replaced",
    () => workers().length === 1 && workers()[0]!.pid !== pid,
  );
  const next = workers()[0]!.pid;
  await until("the former worker has exited", () => !isAlive(pid));
  child.signal("SIGTERM");
  assertEquals(await child.ended, 0);
  assert(!isAlive(next));
  assert(lines.some((line) => /^\[core 1\] without a line end$/.test(line)), lines.join("\n"));
});

test("a worker exits when its parent has exited", async () => {
  const { child, workers } = startParent();
  await until("the worker is ready", () => workers().length === 1);
  const [{ pid }] = workers() as [{ pid: number }];
  child.signal("SIGKILL");
  await child.ended;
  await until("the worker has exited", () => !isAlive(pid));
});
