// deno-lint-ignore-file no-console -- reports why a test is skipped
/**
 * Tests third-party proxies with the configurations of `lib/guides/behind_a_proxy.md`: HTTP,
 * WebSockets of a page, streams, and clients that disconnect. Proxies that are not installed are
 * reported. With `FIRN_LONG=1`, a WebSocket is also idle for longer than each proxy's timeout.
 */
import { assert, assertEquals } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connect } from "../../lib/ws/websocket_client.ts";
import type { ServeOptions } from "../../lib/ws/options.ts";
import { makeHost } from "../kit/host.ts";
import { freePort } from "../kit/mesh.ts";
import { findServer, nginxConfig } from "../kit/servers.ts";
import { test, until } from "../kit/test.ts";
import { serving } from "../ws/serving.ts";

const host = makeHost();
const GUIDE = readFileSync(new URL("../../lib/guides/behind_a_proxy.md", import.meta.url), "utf8");

/** A proxy: its program, and how to run the guide's configuration on the ports of the test. */
interface Proxy {
  readonly name: string;
  readonly program: string | undefined;
  /** Returns the whole configuration. */
  complete(config: string, folder: string): string;
  /** Returns the arguments that run the proxy in the foreground. */
  args(file: string): string[];
  /** Returns how its configuration names a Unix socket. */
  unix(path: string): string;
}

const PROXIES: readonly Proxy[] = [
  {
    name: "nginx",
    program: findServer("nginx"),
    complete: (config, folder) => nginxConfig(folder, config),
    args: (file) => ["-c", file],
    unix: (path) => `unix:${path}`,
  },
  {
    name: "haproxy",
    program: findServer("haproxy"),
    complete: (config) => config,
    args: (file) => ["-db", "-q", "-f", file],
    unix: (path) => `unix@${path}`,
  },
  {
    name: "caddy",
    program: findServer("caddy"),
    complete: (config) => `{\n  admin off\n  auto_https off\n}\n${config}`,
    args: (file) => ["run", "--adapter", "caddyfile", "--config", file],
    unix: (path) => `unix/${path}`,
  },
];

/** Returns the guide's configuration of a proxy. */
function configOf(name: string): string {
  const fence = name === "caddy" ? "caddyfile" : name;
  const found = new RegExp(`\`\`\`${fence}\n([^]*?)\`\`\``).exec(GUIDE);
  assert(found !== null, `the guide has no configuration for ${name}`);
  return found[1]!;
}

/** Runs a server behind a proxy, which connects to a port or to a Unix socket. */
async function behind(
  proxy: Proxy,
  options: ServeOptions,
  body: (front: number) => Promise<void>,
  isUnix: boolean = false,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "firn-proxy-"));
  const unix = join(folder, "server.sock");
  const place = isUnix ? { unix, trustedProxies: ["unix"] } : { trustedProxies: ["127.0.0.1"] };
  await serving({ ...options, ...place }, async (server) => {
    const front = await freePort();
    const target = isUnix ? proxy.unix(unix) : `127.0.0.1:${server.port}`;
    const config = configOf(proxy.name).replaceAll("127.0.0.1:8080", target)
      .replace("listen 80;", `listen 127.0.0.1:${front};`)
      .replace("bind :80", `bind 127.0.0.1:${front}`)
      .replace(":80 {", `http://127.0.0.1:${front} {`);
    const file = join(folder, "proxy.conf");
    writeFileSync(file, proxy.complete(config, folder));
    const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    const child = spawn(proxy.program!, proxy.args(file), { stdio: "ignore", env });
    const ended = new Promise((end) => child.on("exit", end));
    try {
      await until(`${proxy.name} listens`, () => isOpen(front, child));
      await body(front);
    } finally {
      // nginx's workers survive if their master is killed.
      child.kill(proxy.name === "nginx" ? "SIGTERM" : "SIGKILL");
      await ended;
    }
  });
  rmSync(folder, { recursive: true, force: true });
}

async function isOpen(port: number, child: ChildProcess): Promise<boolean> {
  if (child.exitCode !== null) throw new Error(`the proxy has ended with ${child.exitCode}`);
  return await new Promise((settle) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.destroy();
      settle(true);
    });
    socket.on("error", () => settle(false));
  });
}

for (const proxy of PROXIES) {
  const ignore = proxy.program === undefined;
  if (ignore) console.log(`proxies_test.ts: skipped, ${proxy.name} is not installed`);

  for (const isUnix of [false, true]) {
    const how = isUnix ? ", at a Unix socket" : "";
    test(
      `serve works behind ${proxy.name} as the guide configures it${how}`,
      { ignore },
      async () => {
        const events: string[] = [];
        const options: ServeOptions = {
          fetch: async (request, remote) => {
            const { pathname, protocol, host } = new URL(request.url);
            if (pathname === "/echo") return new Response(await request.text());
            if (pathname === "/throws") throw new Error("oops");
            if (pathname === "/stream") {
              request.signal.addEventListener("abort", () => events.push("aborted"));
              const start = (controller: ReadableStreamDefaultController): void =>
                controller.enqueue(new TextEncoder().encode("data: 1\n\n"));
              const cancel = (): void => void events.push("cancelled");
              return new Response(new ReadableStream({ start, cancel }), {
                headers: { "content-type": "text/event-stream" },
              });
            }
            return new Response(`${protocol} ${host} ${remote.hostname}`);
          },
          open: (conn) => conn.send(conn.remoteAddress.hostname),
          message: (conn, data) => conn.send(data),
        };
        await behind(proxy, options, async (front) => {
          const url = `http://127.0.0.1:${front}`;
          const text = async (path: string, init?: RequestInit): Promise<string> =>
            await (await fetch(url + path, init)).text();
          // The port is 0 if the proxy does not send it; the address is that of the test.
          assertEquals(await text("/"), `http: 127.0.0.1:${front} 127.0.0.1`);
          const body = "x".repeat(300_000);
          assertEquals(await text("/echo", { method: "POST", body }), body);
          // A kept connection between proxy and server still works after a failure.
          for (let i = 0; i < 5; i++) {
            const failed = await fetch(`${url}/throws`);
            assertEquals([failed.status, await failed.text()], [500, "internal error\n"]);
            assertEquals(await text("/echo", { method: "POST", body: `${i}` }), `${i}`);
          }
          const statuses: string[] = [];
          for (const origin of [url, "https://evil.example"]) {
            const got: (string | Uint8Array)[] = [];
            try {
              const client = await connect(host, `ws://127.0.0.1:${front}/`, {
                headers: { origin },
                message: (_conn, data) => got.push(data),
              });
              client.send("hello");
              await until("both messages are echoed", () => got.length === 2);
              statuses.push(got.join());
              await client.close();
            } catch (error) {
              statuses.push(String((error as { status?: number }).status));
            }
          }
          assertEquals(statuses, ["127.0.0.1,hello", "403"]);
          const cancel = new AbortController();
          const stream = await fetch(`${url}/stream`, { signal: cancel.signal });
          const reader = stream.body!.getReader();
          assertEquals(new TextDecoder().decode((await reader.read()).value), "data: 1\n\n");
          cancel.abort();
          await reader.read().catch(() => {});
          await until("the server has noticed both disconnects", () => events.length === 2);
          assertEquals([...events].sort(), ["aborted", "cancelled"]);
        }, isUnix);
      },
    );
  }

  const isLong = process.env["FIRN_LONG"] === "1";
  test(`serve keeps an idle WebSocket open behind ${proxy.name}`, {
    ignore: ignore || !isLong,
    timeout: 120_000,
  }, async () => {
    await behind(proxy, { message: (conn, data) => conn.send(data) }, async (front) => {
      const got: unknown[] = [];
      const closes: number[] = [];
      const client = await connect(host, `ws://127.0.0.1:${front}/`, {
        idleTimeout: 0,
        reconnect: false,
        message: (_conn, data) => got.push(data),
        close: (_conn, code) => closes.push(code),
      });
      await new Promise((wait) => setTimeout(wait, 68_000));
      client.send("still there");
      await until("the message is echoed", () => got.length === 1 || closes.length > 0);
      assertEquals([got, closes], [["still there"], []]);
      await client.close();
    });
  });
}
