import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request as askHttp } from "node:http";
import { connect as dial, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as dialTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { SeededRandom } from "../../lib/base/random.ts";
import { ListenError } from "../../lib/host/host.ts";
import { type Authority, type Leaf, makeAuthority, makeLeaf } from "../../lib/mesh/certificate.ts";
import { OptionError } from "../../lib/ws/options.ts";
import { serve } from "../../lib/ws/server.ts";
import { makeHost } from "../kit/host.ts";
import { test } from "../kit/test.ts";
import { bytesOf, upgradeRequest } from "../kit/ws_client.ts";
import { serving } from "./serving.ts";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "firn-unix-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns the response text of a server on a Unix socket. */
function get(socketPath: string, headers: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = askHttp({ socketPath, path: "/x", headers, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => text += part).on("end", () => resolve(text));
    });
    asked.on("error", reject).end();
  });
}

/** Sends bytes. Resolves to the first bytes received. */
function firstOf(socket: Socket, bytes: Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once("data", (data) => resolve(String(data)));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
    socket.write(bytes);
  });
}

test("serve listens on a Unix socket for HTTP and for WebSockets", async () => {
  await inFolder(async (folder) => {
    const unix = join(folder, "server.sock");
    const options = { unix, trustedProxies: ["unix"] };
    const seen: string[] = [];
    await serving({
      ...options,
      open: (conn) => void seen.push(conn.remoteAddress.hostname),
      fetch: (_request, remote) => new Response(remote.hostname),
    }, async (server) => {
      assertEquals([server.hostname, server.port, server.url], [unix, 0, `ws+unix:${unix}`]);
      assert(statSync(unix).isSocket());
      assertEquals(await get(unix), "unix");
      assertEquals(await get(unix, { "X-Forwarded-For": "192.0.2.7" }), "192.0.2.7");
      const socket = dial(unix);
      assert((await firstOf(socket, bytesOf(upgradeRequest()))).startsWith("HTTP/1.1 101"));
      socket.destroy();
      assertEquals(seen, ["unix"]);
      const host = makeHost();
      const error = await assertRejects(
        () => serve(host, { unix }),
        ListenError,
        "a process listens",
      );
      assertEquals((error as ListenError).code, "EADDRINUSE");
      assertEquals(await get(unix), "unix");
    });
    assert(!existsSync(unix));
  });
});

test("serve replaces the Unix socket of a killed process, but no other file", async () => {
  await inFolder(async (folder) => {
    const [path, unix] = [join(folder, "a"), join(folder, "server.sock")];
    const killed = createServer();
    await new Promise<void>((up) => killed.listen(path, up));
    renameSync(path, unix);
    await new Promise((down) => killed.close(down));
    await serving({ unix, fetch: () => new Response("new") }, async () => {
      assertEquals(await get(unix), "new");
    });
    const file = join(folder, "file");
    writeFileSync(file, "kept");
    const host = makeHost();
    await assertRejects(() => serve(host, { unix: file }), ListenError);
    assertEquals(statSync(file).size, 4);
    await assertRejects(() => serve(host, { unix: join(folder, "no/x") }), ListenError);
    await assertRejects(() => serve(host, { unix, port: 1 }), OptionError, "unix and port");
    await assertRejects(() => serve(host, { unix: "" }), OptionError, "option unix");
  });
});

interface Made {
  readonly ca: Authority;
  readonly leaves: readonly Leaf[];
}

async function make(count: number): Promise<Made> {
  const random = new SeededRandom(19);
  const ca = await makeAuthority(random.bytes(32));
  const leaves = Array.from(
    { length: count },
    (_, i) => makeLeaf(ca, `n${i}@127.0.0.1:9000`, random.bytes(16)),
  );
  return { ca, leaves: await Promise.all(leaves) };
}

/**
 * Connects by TLS. Resolves after the handshake, and rejects if the server closes the connection.
 */
function dialed(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const settings = { host: "127.0.0.1", port, rejectUnauthorized: false, ...options };
    const socket = dialTls(settings, () => resolve(socket));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
  });
}

function rawOf(pem: string): string {
  return pem.replace(/-----[^-]+-----|\s/g, "");
}

test("serve selects a certificate by the server name that the client requests", async () => {
  const { leaves: [own, b, c, d] } = await make(4);
  const tls = { ...own!, hosts: { "b.example": b!, "*.C.example": c! } };
  await serving({ tls, fetch: () => new Response("ok") }, async (server) => {
    const shown = async (servername?: string): Promise<string> => {
      const socket = await dialed(server.port, servername === undefined ? {} : { servername });
      const { raw } = socket.getPeerCertificate();
      assert(
        (await firstOf(socket, bytesOf("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))).includes("200 OK"),
      );
      socket.destroy();
      return Buffer.from(raw).toString("base64");
    };
    assertEquals(await shown(), rawOf(own!.cert));
    assertEquals(await shown("a.example"), rawOf(own!.cert));
    assertEquals(await shown("B.example"), rawOf(b!.cert));
    assertEquals(await shown("x.c.example"), rawOf(c!.cert));
    assertEquals(await shown("x.y.c.example"), rawOf(own!.cert));
    server.reload({ tls: { ...own!, hosts: { "b.example": d! } } });
    assertEquals(await shown("b.example"), rawOf(d!.cert));
    assertThrows(() => server.reload({ tls: own! }), OptionError, "tls.hosts");
  });
  const bad = { ...own!, hosts: { "b.example": { cert: b!.cert, key: c!.key } } };
  await assertRejects(() => serve(makeHost(), { tls: bad }), OptionError, "for b.example");
});

for (const withHosts of [false, true]) {
  const others = withHosts ? ", with several certificates too" : "";
  test(`serve accepts clients with a certificate of the given authority${others}`, async () => {
    const { ca, leaves: [own, client] } = await make(2);
    const random = new SeededRandom(20);
    const unknownClient = await makeLeaf(
      await makeAuthority(random.bytes(32)),
      "s@h:1",
      random.bytes(16),
    );
    const hosts = withHosts ? { "b.example": own! } : undefined;
    const shown: (string | undefined)[] = [];
    await serving({
      tls: { ...own!, ca: ca.pem, hosts },
      fetch: (_request, { certificate }) => {
        shown.push(certificate && Buffer.from(certificate).toString("base64"));
        return new Response("in");
      },
    }, async ({ port }) => {
      const ask = async (leaf: Leaf | undefined, servername: string): Promise<string> => {
        const { cert, key } = leaf ?? {};
        const socket = await dialed(port, { servername, ...(cert && { cert, key }) });
        const answer = await firstOf(socket, bytesOf("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
        socket.destroy();
        return answer;
      };
      for (const name of ["a.example", "b.example"]) {
        assert((await ask(client, name)).includes("200 OK"));
        await assertRejects(() => ask(undefined, name));
        await assertRejects(() => ask(unknownClient, name));
      }
      assertEquals(shown, [rawOf(client!.cert), rawOf(client!.cert)]);
    });
  });
}
