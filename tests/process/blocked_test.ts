// deno-lint-ignore-file no-console -- reports why a test is skipped
/**
 * Tests clients behind an nginx that does not pass on the headers of WebSockets: three nodes are
 * killed and restarted, with clients in this process and in a browser.
 */
import { assert, assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Socket } from "@firn/firn/client";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { openPage, whyNoBrowser, withBrowser } from "../kit/browser.ts";
import { type NodeProcess, pairsInTurn, untilWhole, withNodes } from "../kit/process.ts";
import { findServer, nginxConfig } from "../kit/servers.ts";
import { test, until } from "../kit/test.ts";

const nginx = findServer("nginx");
if (nginx === undefined) {
  console.log("blocked_test.ts: skipped, nginx is not installed (apt-get install nginx)");
}

/**
 * Runs nginx in front of servers, with its default settings: HTTP/1.0 to the servers, and no
 * headers of WebSockets. Its first port buffers responses, the second does not.
 */
async function withNginx(
  servers: readonly number[],
  fronts: readonly number[],
  body: () => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "firn-nginx-"));
  const upstream = servers.map((port) => `server 127.0.0.1:${port} fail_timeout=1s;`).join("\n");
  const front = fronts.map((port, i) =>
    `server { listen 127.0.0.1:${port}; location / { proxy_pass http://nodes;
      proxy_set_header Host $http_host; proxy_buffering ${i === 0 ? "on" : "off"}; } }`
  ).join("\n");
  const file = join(folder, "nginx.conf");
  writeFileSync(file, nginxConfig(folder, `upstream nodes { ${upstream} } ${front}`));
  const child = spawn(nginx!, ["-c", file], { stdio: "ignore" });
  const ended = new Promise((end) => child.on("exit", end));
  try {
    await until("nginx accepts connections", async () => {
      if (child.exitCode !== null) throw new Error(`nginx has ended with ${child.exitCode}`);
      const response = await fetch(`http://127.0.0.1:${fronts[0]}/socket/client.js`)
        .catch(() => undefined);
      await response?.body?.cancel();
      return response?.ok === true;
    });
    await body();
  } finally {
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A client in this process or in a page. */
interface Client {
  /** Pushes a number. Resolves to whether the push was acknowledged. */
  say(number: number): Promise<boolean>;
  got(): Promise<{ numbers: number[]; lost: string[]; used: string[]; keys: string[] }>;
  close(): void;
}

function here(front: number, name: string): Client {
  const numbers: number[] = [];
  const [lost, used]: [string[], string[]] = [[], []];
  const socket = new Socket(`http://127.0.0.1:${front}/socket`, { maxDelay: 200, timeout: 5_000 });
  socket.on("open", ({ transport }) => used.push(transport));
  const room = socket.channel("room:1", { name });
  room.on("said", (number) => numbers.push(number as number));
  room.when("lost", ({ reason }) => lost.push(reason));
  return {
    say: (number) => room.push("say", number).then(() => true, () => false),
    got: () => Promise.resolve({ numbers, lost, used, keys: [...room.presence.keys()].sort() }),
    close: () => socket.close(),
  };
}

/** The script of the page with a client. */
const SCRIPT = `(async () => {
  const { Socket } = await import("/socket/client.js");
  const got = { numbers: [], lost: [], used: [] };
  const socket = new Socket("/socket", { maxDelay: 200, timeout: 5000 });
  socket.on("open", ({ transport }) => got.used.push(transport));
  const room = socket.channel("room:1", { name: "page" });
  room.on("said", (number) => got.numbers.push(number));
  room.when("lost", ({ reason }) => got.lost.push(reason));
  window.say = (number) => room.push("say", number).then(() => true, () => false);
  window.got = () => ({ ...got, keys: [...room.presence.keys()].sort() });
})()`;

/** Opens a page with a client. */
async function withPage(front: number, body: (client: Client) => Promise<void>): Promise<void> {
  await withBrowser(async (browser) => {
    const page = await openPage(browser);
    await page.goto(`http://127.0.0.1:${front}/socket/client.js`);
    await page.evaluate(SCRIPT);
    await body({
      say: (number) => page.evaluate(`say(${number})`),
      got: () => page.evaluate("got()"),
      close: () => {},
    });
  });
}

async function exercise(
  nodes: NodeProcess[],
  restart: (i: number) => Promise<void>,
  clients: readonly Client[],
  names: readonly string[],
): Promise<void> {
  await until("all clients see all others", async () => {
    for (const client of clients) {
      if ((await client.got()).keys.join() !== names.join()) return false;
    }
    return true;
  });
  const acknowledged: number[] = [];
  let next = 0;
  let stop = false;
  const talk = (async () => {
    while (!stop) {
      const number = ++next;
      if (await clients[number % clients.length]!.say(number)) acknowledged.push(number);
    }
  })();
  try {
    for (let i = 0; i < 3; i++) {
      const before = acknowledged.length;
      await nodes[i]!.kill();
      await until(
        "more messages are acknowledged",
        () => acknowledged.length > before + 10,
      );
      await restart(i);
    }
  } finally {
    stop = true;
    await talk;
  }
  const last = acknowledged.at(-1)!;
  await until("all clients have received the last message", async () => {
    for (const client of clients) if (!(await client.got()).numbers.includes(last)) return false;
    return true;
  });
  const first = (await clients[0]!.got()).numbers;
  for (const client of clients) {
    const { numbers, lost, used } = await client.got();
    assertEquals([acknowledged.filter((number) => !numbers.includes(number)), lost], [[], []]);
    assertEquals(numbers, first);
    assert(used.length > 1 && used.every((each) => each === "events"), used.join());
  }
}

for (const [one, other] of pairsInTurn(1)) {
  test(
    `channels (${one}, ${other}) behind a proxy that blocks WebSockets lose no acknowledged message when nodes are killed`,
    {
      ignore: nginx === undefined,
    },
    async () => {
      await withNodes(async (start) => {
        const kinds = [one, other, one] as const;
        const [a, b, c, buffered, direct] = await freePorts(5);
        const ports = [a!, b!, c!];
        const nodes: NodeProcess[] = [];
        const begin = async (i: number): Promise<void> => {
          const seeds = nodes.filter((_, at) => at !== i).map(({ name }) => name);
          nodes[i] = await start(kinds[i]!, `n${i}`, {
            pingInterval: 300,
            pingTimeout: 1_500,
            seeds,
            ...nodes[i] && { name: nodes[i]!.name },
          }, "channel_child.ts");
          await nodes[i]!.ask("serve", { port: ports[i] });
        };
        for (let i = 0; i < 3; i++) await begin(i);
        await untilWhole(...nodes);
        const restart = async (i: number): Promise<void> => {
          await begin(i);
          await untilWhole(...nodes);
        };
        await withNginx(ports, [buffered!, direct!], async () => {
          const clients = [here(buffered!, "c0"), here(direct!, "c1")];
          try {
            if (whyNoBrowser !== undefined) await exercise(nodes, restart, clients, ["c0", "c1"]);
            else {
              await withPage(
                buffered!,
                (page) => exercise(nodes, restart, [...clients, page], ["c0", "c1", "page"]),
              );
            }
          } finally {
            for (const client of clients) {
              client.close();
            }
          }
        });
      });
    },
  );
}
