/** Conformance suite for hosts. It runs for each host, over plain TCP and over TLS. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { utf8 } from "../../lib/base/bytes.ts";
import { type Leaf, makeAuthority, makeLeaf, SERVER_NAME } from "../../lib/mesh/certificate.ts";
import { ConnectError, type Host, type Listener, ListenError } from "../../lib/host/host.ts";
import type { ClientTls, ServerTls } from "../../lib/host/host.ts";
import { IGNORE, type Stream, type StreamEnd, type StreamHandler } from "../../lib/host/stream.ts";
import { UNPROVEN_MAX } from "../../lib/host/unproven.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { test, until } from "../kit/test.ts";

/**
 * Maximum number of rounds of the test of Nagle's algorithm. It passes when one of them is fast
 * enough.
 */
const NAGLE_ROUNDS_MAX = 10;

/** One end of a stream. Records its events. */
export class Recorder implements StreamHandler {
  text = "";
  bytes = 0;
  drains = 0;
  ended = false;
  readonly closes: StreamEnd[] = [];
  onData: ((bytes: Uint8Array) => void) | undefined;
  readonly stream: Stream;
  readonly #decoder = new TextDecoder();

  constructor(stream: Stream) {
    this.stream = stream;
    stream.handler = this;
  }

  data(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    if (this.text.length < 1000) this.text += this.#decoder.decode(bytes, { stream: true });
    this.onData?.(bytes);
  }

  drain(): void {
    this.drains++;
  }

  end(): void {
    this.ended = true;
  }

  close(end: StreamEnd): void {
    this.closes.push(end);
  }
}

interface Secured {
  readonly server: ServerTls;
  readonly client: ClientTls;
}

async function authority(seed: number): Promise<{ ca: string; leaf: Leaf }> {
  const random = new SeededRandom(seed);
  const ca = await makeAuthority(random.bytes(32));
  const leaf = await makeLeaf(ca, "a@127.0.0.1:9000", random.bytes(16));
  return { ca: ca.pem, leaf };
}

/**
 * Returns the tested transports: plain TCP (`undefined`), and TLS with the settings that Firn uses.
 */
async function ways(): Promise<
  Record<"plain" | "cluster TLS" | "mutual TLS", Secured | undefined>
> {
  const { ca, leaf } = await authority(1);
  const client = { ca, serverName: SERVER_NAME };
  const server = { cert: leaf.cert, key: leaf.key };
  return {
    plain: undefined,
    "cluster TLS": { server, client },
    "mutual TLS": {
      server: { ...server, clientCa: ca },
      client: { ...client, cert: leaf.cert, key: leaf.key },
    },
  };
}

interface Pair {
  readonly near: Recorder;
  readonly far: Recorder;
  readonly listener: Listener;
}

async function pair(host: Host, way: Secured | undefined): Promise<Pair> {
  let far: Recorder | undefined;
  const listener = await host.listen(
    { hostname: "127.0.0.1", port: 0, tls: way?.server },
    (stream) => far = new Recorder(stream),
  );
  const stream = await host.connect({ ...listener.address, tls: way?.client, timeoutMs: 5000 });
  const near = new Recorder(stream);
  await until("the other end is open", () => far !== undefined);
  return { near, far: far!, listener };
}

async function unpair({ near, far, listener }: Pair): Promise<void> {
  near.stream.abort();
  far.stream.abort();
  await listener.close();
  await until("both ends are closed", () => near.closes.length > 0 && far.closes.length > 0);
}

/** A listener, with the connections that it accepted and rejected. */
interface TestListener {
  readonly address: Listener["address"];
  readonly accepted: Recorder[];
  /** One line per rejected connection: its address and the reason. */
  readonly refused: string[];
  /** Aborts the accepted connections and closes the listener. */
  close(): Promise<void>;
}

/** Starts a listener that sends nothing. */
async function openListener(host: Host, tls?: ServerTls): Promise<TestListener> {
  const accepted: Recorder[] = [];
  const refused: string[] = [];
  const listener = await host.listen({
    hostname: "127.0.0.1",
    port: 0,
    tls,
    refused: (remote, message) => refused.push(`${remote.hostname} ${message}`),
  }, (stream) => accepted.push(new Recorder(stream)));
  return {
    address: listener.address,
    accepted,
    refused,
    close: () => {
      for (const { stream } of accepted) stream.abort();
      return listener.close();
    },
  };
}

/** Declares the suite for a host. */
export async function hostContract(makeHost: () => Host): Promise<void> {
  for (const [name, way] of Object.entries(await ways())) {
    test(`Stream (${name}) transfers bytes in both directions, in order`, async () => {
      const both = await pair(makeHost(), way);
      for (let i = 0; i < 100; i++) both.near.stream.write(utf8(`${i},`));
      both.far.stream.write(utf8("hello"));
      const all = Array.from({ length: 100 }, (_, i) => `${i},`).join("");
      await until(
        "all bytes have arrived",
        () => both.far.text === all && both.near.text === "hello",
      );
      assertEquals(both.near.stream.unsent, 0);
      await unpair(both);
    });

    test(`Stream (${name}) transfers 32 MiB in pieces of odd sizes without losing a byte`, async () => {
      const both = await pair(makeHost(), way);
      const random = new SeededRandom(7);
      const sent = createHash("sha256");
      const received = createHash("sha256");
      both.far.onData = (bytes) => void received.update(bytes);
      let total = 0;
      while (total < 32 << 20) {
        const piece = random.bytes(16).slice(0, 1 + random.below(15));
        const large = new Uint8Array(random.below(3) === 0 ? random.below(1 << 20) : 100).fill(
          piece[0]!,
        );
        for (const bytes of [piece, large]) {
          both.near.stream.write(bytes);
          sent.update(bytes);
          total += bytes.length;
        }
      }
      await until("all bytes have arrived", () => both.far.bytes === total);
      assertEquals(received.digest("hex"), sent.digest("hex"));
      assertEquals(both.near.stream.unsent, 0);
      assert(both.near.drains > 0);
      await unpair(both);
    });

    test(`Stream (${name}) reports unsent bytes while the peer does not read, and drains when it does`, async () => {
      const both = await pair(makeHost(), way);
      both.far.stream.pause();
      const block = new Uint8Array(1 << 20);
      let written = 0;
      await until("the buffers are full", () => {
        both.near.stream.write(block);
        written += block.length;
        return both.near.stream.unsent > 8 * block.length;
      });
      const drains = both.near.drains;
      const before = both.far.bytes;
      // Data is not delivered during a pause, even if it had arrived before the pause.
      assertEquals(before, 0);
      both.far.stream.resume();
      await until("all bytes have arrived", () => both.far.bytes === written);
      await until(
        "the stream has drained",
        () => both.near.stream.unsent === 0 && both.near.drains > drains,
      );
      await unpair(both);
    });

    test(`Stream (${name}) delivers all bytes although its reader pauses and resumes after each part`, async () => {
      const both = await pair(makeHost(), way);
      let calls = 0;
      both.far.onData = () => {
        calls++;
        both.far.stream.pause();
        queueMicrotask(() => both.far.stream.resume());
      };
      const block = new Uint8Array(10_000);
      for (let i = 0; i < 100; i++) both.near.stream.write(block);
      await until("all bytes have arrived", () => both.far.bytes === 1_000_000);
      assert(calls > 1);
      await unpair(both);
    });

    test(`Stream.end (${name}) closes one direction until the peer ends the other`, async () => {
      const both = await pair(makeHost(), way);
      both.near.stream.write(utf8("last words"));
      both.near.stream.end();
      await until("the other end has received the end", () => both.far.ended);
      assertEquals(both.far.text, "last words");
      both.near.stream.write(utf8("too late"));
      both.far.stream.write(utf8("answer"));
      await until("the answer has arrived", () => both.near.text === "answer");
      assertEquals(both.near.closes, []);
      both.far.stream.end();
      await until(
        "both ends are closed",
        () => both.near.closes.length + both.far.closes.length === 2,
      );
      assertEquals(both.near.closes, [{ kind: "closed" }]);
      assertEquals(both.far.closes, [{ kind: "closed" }]);
      assertEquals(both.far.text, "last words");
      await both.listener.close();
    });

    test(`Stream.end (${name}) keeps data that the peer has not read if the peer has already ended its side`, async () => {
      const both = await pair(makeHost(), way);
      const block = new Uint8Array(1 << 20);
      both.near.stream.pause();
      both.near.stream.end();
      await until("the other end has received the end", () => both.far.ended);
      both.far.stream.write(block);
      both.far.stream.end();
      await until("the operating system has all data", () => both.far.closes.length === 1);
      assertEquals(both.far.closes, [{ kind: "closed" }]);
      both.near.stream.resume();
      const { near } = both;
      await until(
        "all data or none has arrived",
        () => near.bytes >= block.length || near.closes.length > 0,
      );
      assertEquals(near.bytes, block.length);
      near.stream.abort();
      await both.listener.close();
    });

    test(`Stream.resume (${name}) delivers the data and the end that arrived during the pause`, async () => {
      for (const whom of ["near", "far"] as const) {
        for (const size of [1, 1 << 20]) {
          const both = await pair(makeHost(), way);
          const paused = both[whom];
          const other = whom === "near" ? both.far : both.near;
          // Waits for traffic in both directions, so that the handshake is complete.
          other.stream.write(utf8("a"));
          await until("the first byte has arrived", () => paused.text === "a");
          paused.stream.pause();
          other.stream.write(new Uint8Array(size));
          other.stream.end();
          await until("all bytes are sent", () => other.stream.unsent === 0);
          // Waits for data that another stream sends later. By then, as much of this stream's data
          // as possible has arrived.
          const later = await pair(makeHost(), way);
          later.near.stream.write(utf8("later"));
          await until("the data of another stream has arrived", () => later.far.text === "later");
          await unpair(later);
          assertEquals(paused.ended, false);
          paused.stream.resume();
          await until(
            `all data has arrived at the ${whom} stream`,
            () => paused.bytes === 1 + size,
          );
          await until(`the end has arrived at the ${whom} stream`, () => paused.ended);
          await unpair(both);
        }
      }
    });

    test(`Stream.abort (${name}) closes this side with the kind "aborted", and then the other side`, async () => {
      const both = await pair(makeHost(), way);
      both.near.stream.write(utf8("x"));
      await until("the first byte has arrived", () => both.far.text === "x");
      both.near.stream.abort();
      both.near.stream.abort();
      assertEquals(both.near.closes, [{ kind: "aborted" }]);
      await until(
        "the other end has received the end",
        () => both.far.ended || both.far.closes.length > 0,
      );
      both.far.stream.abort();
      await until("the other end is closed", () => both.far.closes.length === 1);
      both.near.stream.write(utf8("after the end"));
      await both.listener.close();
    });

    test(`Stream (${name}) sends small messages at once, without Nagle's delay`, async () => {
      const both = await pair(makeHost(), way);
      const message = new Uint8Array(64);
      for (const [from, to] of [[both.near, both.far], [both.far, both.near]] as const) {
        // Nagle's algorithm and delayed ACKs stall every round; a busy machine does not.
        const rounds: number[] = [];
        while (rounds.length < NAGLE_ROUNDS_MAX && !rounds.some((ms) => ms < 35)) {
          const late: number[] = [];
          // Two writes in two turns, and a reply. The peer then delays its ACKs, for which Nagle's
          // algorithm waits.
          for (let i = 0; i < 40; i++) {
            const [target, replies] = [to.bytes + 2 * message.length, from.bytes];
            const began = performance.now();
            from.stream.write(message);
            await new Promise((turn) => setTimeout(turn, 0));
            from.stream.write(message);
            await until("both messages have arrived", () => to.bytes >= target);
            late.push(performance.now() - began);
            to.stream.write(message);
            await until("the reply has arrived", () => from.bytes > replies);
          }
          late.sort((a, b) => a - b);
          rounds.push(late[Math.floor(late.length * 0.8)]!);
        }
        const words = `80 % of pairs should take less than 35 ms, took ${rounds.join(", ")}`;
        assert(rounds.some((ms) => ms < 35), words);
      }
      await unpair(both);
    });
  }

  test("Host.listen accepts a connection after hundreds of clients have disconnected", async () => {
    const host = makeHost();
    const streams: Stream[] = [];
    const listener = await host.listen({ hostname: "127.0.0.1", port: 0 }, (stream) => {
      stream.handler = IGNORE;
      stream.write(utf8("hello"));
      streams.push(stream);
    });
    const { port } = listener.address;
    // Connects from another process. While this process waits for it synchronously, it accepts no
    // connections.
    const script = `import { connect } from "node:net";
      await Promise.all(Array.from({ length: 300 }, () => new Promise((gone) => {
        const socket = connect(${port}, "127.0.0.1", () => socket.resetAndDestroy());
        socket.on("error", gone).on("close", gone);
      })));`;
    const { status } = spawnSync(process.execPath, ["Deno" in globalThis ? "eval" : "-e", script]);
    assertEquals(status, 0);
    const begun = performance.now();
    const stream = await host.connect({ hostname: "127.0.0.1", port, timeoutMs: 5000 });
    const near = new Recorder(stream);
    await until("the connection is accepted", () => near.text === "hello");
    // A pause of 10 ms per connection would take three seconds.
    assert(performance.now() - begun < 1500);
    for (const each of [stream, ...streams]) each.abort();
    await listener.close();
  });

  test("Host.connect rejects for a port without a listener", async () => {
    const host = makeHost();
    const listener = await host.listen({ hostname: "127.0.0.1", port: 0 }, () => {});
    const { address } = listener;
    await listener.close();
    const error = await assertRejects(
      () => host.connect({ ...address, timeoutMs: 3000 }),
      ConnectError,
    );
    assertEquals(error.code, "refused");
  });

  test("Host.connect rejects at its timeout when TLS does not answer", async () => {
    const { ca } = await authority(1);
    const host = makeHost();
    const silent = await openListener(host);
    const tls = { ca, serverName: SERVER_NAME };
    const error = await assertRejects(
      () => host.connect({ ...silent.address, tls, timeoutMs: 100 }),
      ConnectError,
    );
    assertEquals(error.code, "timeout");
    // On Deno, the socket of the first attempt stays open until the peer closes it. That of the
    // second attempt is closed.
    await assertRejects(
      () => host.connect({ ...silent.address, tls, timeoutMs: 100 }),
      ConnectError,
    );
    const { accepted } = silent;
    const gone = (): Recorder[] => accepted.filter((s) => s.ended || s.closes.length > 0);
    await until("a dialed connection has ended", () => accepted.length === 2 && gone().length >= 1);
    await silent.close();
  });

  test("Host.connect rejects when its signal is aborted", async () => {
    const { ca } = await authority(1);
    const host = makeHost();
    const silent = await openListener(host);
    const cancel = new AbortController();
    const tls = { ca, serverName: SERVER_NAME };
    const attempt = host.connect({
      ...silent.address,
      tls,
      timeoutMs: 5000,
      signal: cancel.signal,
    });
    const failed = assertRejects(() => attempt, ConnectError);
    await until("the connection is accepted", () => silent.accepted.length === 1);
    cancel.abort();
    assertEquals((await failed).code, "aborted");
    await silent.close();
  });

  test("Host.connect rejects a certificate of another authority or name", async () => {
    const host = makeHost();
    const ours = await authority(1);
    const theirs = await authority(2);
    const listener = await openListener(host, { cert: theirs.leaf.cert, key: theirs.leaf.key });
    const { accepted, refused } = listener;
    for (
      const tls of [
        { ca: ours.ca, serverName: SERVER_NAME },
        { ca: theirs.ca, serverName: "another.name" },
      ]
    ) {
      const error = await assertRejects(
        () => host.connect({ ...listener.address, tls, timeoutMs: 3000 }),
        ConnectError,
      );
      assertEquals(error.code, "untrusted", error.message);
    }
    // Some hosts reject the certificate after the handshake. Then the listener accepts a stream
    // that ends at once.
    await until("both connections have ended", () => refused.length + accepted.length === 2);
    await until(
      "all connections are closed",
      () => accepted.every((s) => s.ended || s.closes.length > 0),
    );
    for (const { text } of accepted) assertEquals(text, "");
    for (const line of refused) assert(line.startsWith("127.0.0.1 "), line);
    await listener.close();
  });

  test("Host.listen with clientCa rejects a client without a certificate of that authority", async () => {
    const host = makeHost();
    const ours = await authority(1);
    const theirs = await authority(2);
    const { cert, key } = ours.leaf;
    const listener = await openListener(host, { cert, key, clientCa: ours.ca });
    const tls = { ca: ours.ca, serverName: SERVER_NAME };
    const diallers: Recorder[] = [];
    for (const own of [{}, { cert: theirs.leaf.cert, key: theirs.leaf.key }]) {
      // With TLS 1.3 the initiator may complete the handshake before the listener has rejected its
      // certificate.
      const stream = await host.connect({
        ...listener.address,
        tls: { ...tls, ...own },
        timeoutMs: 3000,
      }).catch(() => undefined);
      if (stream) diallers.push(new Recorder(stream));
    }
    await until("both clients were rejected", () => listener.refused.length === 2);
    await until(
      "both clients are disconnected",
      () => diallers.every((s) => s.ended || s.closes.length > 0),
    );
    assertEquals(listener.accepted.length, 0);
    for (const { stream } of diallers) stream.abort();
    await listener.close();
  });

  test("Host.listen with TLS closes the connection of a client that sends no TLS handshake", async () => {
    const host = makeHost();
    const { leaf } = await authority(1);
    const refused: string[] = [];
    const listener = await host.listen({
      hostname: "127.0.0.1",
      port: 0,
      tls: { cert: leaf.cert, key: leaf.key },
      handshakeMs: 200,
      refused: (_remote, message) => refused.push(message),
    }, () => {
      throw new Error("accepted");
    });
    const plain = new Recorder(await host.connect({ ...listener.address, timeoutMs: 1000 }));
    plain.stream.write(utf8("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    const silent = new Recorder(await host.connect({ ...listener.address, timeoutMs: 1000 }));
    for (const dialler of [plain, silent]) {
      await until("the connection is closed", () => dialler.ended || dialler.closes.length > 0);
      dialler.stream.abort();
    }
    await until("both failures are reported", () => refused.length === 2);
    await listener.close();
  });

  test("Host.listen with TLS closes the oldest handshakes of an address that has too many", async () => {
    const host = makeHost();
    const { ca, leaf } = await authority(1);
    const accepted: Recorder[] = [];
    const tls = { cert: leaf.cert, key: leaf.key };
    const listener = await host.listen(
      { hostname: "127.0.0.1", port: 0, tls, handshakeMs: 60_000 },
      (stream) => accepted.push(new Recorder(stream)),
    );
    const { hostname, port } = listener.address;
    const over = new Set<Socket>();
    const dial = async (localAddress: string): Promise<Socket> => {
      const socket = connect({ host: hostname, port, localAddress });
      socket.on("error", () => over.add(socket));
      socket.on("close", () => over.add(socket));
      socket.resume();
      await once(socket, "connect");
      return socket;
    };
    // Opens the oldest connection, from another address. It sends nothing, like the others.
    const slow = await dial("127.0.0.3");
    const silent: Socket[] = [];
    for (let i = 0; i < UNPROVEN_MAX; i++) silent.push(await dial("127.0.0.2"));
    await until("half of the connections are closed", () => over.size >= UNPROVEN_MAX / 2);
    const honest = new Recorder(
      await host.connect({
        ...listener.address,
        tls: { ca, serverName: SERVER_NAME },
        timeoutMs: 5000,
      }),
    );
    honest.stream.write(utf8("hello"));
    await until("a valid client is accepted", () => accepted[0]?.text === "hello");
    assertEquals([over.size, over.has(slow)], [UNPROVEN_MAX / 2, false]);
    assert(silent.slice(0, UNPROVEN_MAX / 2).every((socket) => over.has(socket)));
    for (const socket of [slow, ...silent]) socket.destroy();
    for (const { stream } of [...accepted, honest]) stream.abort();
    await until("all connections are closed", () => over.size === UNPROVEN_MAX + 1);
    await listener.close();
  });

  test("Listener.secure replaces the certificates for new connections without closing open streams", async () => {
    const host = makeHost();
    const before = await authority(1);
    const after = await authority(2);
    const far: Recorder[] = [];
    const listener = await host.listen({
      hostname: "127.0.0.1",
      port: 0,
      tls: { cert: before.leaf.cert, key: before.leaf.key },
    }, (stream) => far.push(new Recorder(stream)));
    const dial = async (ca: string): Promise<Recorder> =>
      new Recorder(
        await host.connect({
          ...listener.address,
          tls: { ca, serverName: SERVER_NAME },
          timeoutMs: 3000,
        }),
      );
    const old = await dial(before.ca);
    listener.secure({ cert: after.leaf.cert, key: after.leaf.key });
    const fresh = await dial(after.ca);
    for (const each of [old, fresh]) each.stream.write(utf8("hello"));
    await until(
      "both streams have received data",
      () => far.length === 2 && far.every((s) => s.text === "hello"),
    );
    for (const each of [old, fresh, ...far]) each.stream.abort();
    await listener.close();
  });

  test("Host.listen on a port in use rejects with its code and address", async () => {
    const host = makeHost();
    const first = await host.listen({ hostname: "127.0.0.1", port: 0 }, () => {});
    const error = await assertRejects(() => host.listen(first.address, () => {}), ListenError);
    assert(/EADDRINUSE|AddrInUse/.test(error.code), error.code);
    const where = `cannot listen on 127.0.0.1:${first.address.port}`;
    assertEquals(
      error.message,
      `${where}: another process listens there: choose another port, or 0 for a free one`,
    );
    await first.close();
  });

  test("Host.atFlush runs tasks in order before the data that they write is sent", async () => {
    const host = makeHost();
    const both = await pair(host, undefined);
    const order: string[] = [];
    host.atFlush(() => {
      order.push("first");
      both.near.stream.write(utf8("b"));
      host.atFlush(() => order.push("third"));
    });
    host.atFlush(() => order.push("second"));
    both.near.stream.write(utf8("a"));
    assertEquals(order, []);
    await until("the data has arrived", () => both.far.text === "ab");
    assertEquals(order, ["first", "second", "third"]);
    await unpair(both);
  });

  test("Host.clock fires timers once or repeatedly until they are cancelled", async () => {
    const { clock } = makeHost();
    let once = 0;
    let often = 0;
    const timer = clock.after(5, () => once++);
    clock.after(1, () => once += 100).cancel();
    const ticker = clock.every(2, () => often++);
    const began = clock.now();
    await until("both timers have fired", () => once > 0 && often > 2);
    ticker.cancel();
    timer.cancel();
    assertEquals(once, 1);
    assert(clock.now() - began >= 4);
    assert(Math.abs(clock.wall() - Date.now()) < 1000);
  });

  test("Host.secretFile creates a file that only its owner can read, and later returns the same text", async () => {
    const fs = await import("node:fs");
    const os = await import("node:os");
    const folder = fs.mkdtempSync(`${os.tmpdir()}/firn-`);
    const host = makeHost();
    const path = `${folder}/deep/cookie`;
    assertEquals(host.secretFile(path, () => "first"), "first");
    assertEquals(host.secretFile(path, () => "second"), "first");
    assertEquals(fs.statSync(path).mode & 0o777, 0o600);
    assertEquals(fs.readdirSync(`${folder}/deep`), ["cookie"]);
    fs.chmodSync(path, 0o644);
    assertThrows(() => host.secretFile(path, () => "third"), Error, "chmod 600");
    fs.rmSync(folder, { recursive: true });
  });
}
