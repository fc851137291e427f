/**
 * Question: what does each of the runtime's TLS APIs cost? Deno dials with `node:tls` although
 * `Deno.startTls` has the shorter round trip, because the latter also trusts other authorities and
 * sends no client certificate (`lib/host/deno.ts`).
 *
 * Each API is measured in four ways: a round trip of 64 B; ten small writes, a timer tick apart,
 * until all have arrived; 1 MiB one way in writes of 16 KiB; and a dial with its first round trip.
 * Nagle's algorithm with delayed acknowledgements adds 40 or 80 ms to the dial, because its
 * connection is new, and between processes to the ten small writes too. Both ends share one process
 * and its event loop, which is saturated: compare ratios, not absolute times.
 *
 * @module
 */
import process from "node:process";
import tls from "node:tls";
import { makeAuthority, makeLeaf, SERVER_NAME } from "../../lib/mesh/certificate.ts";
import { DenoStream, WriteWindow } from "../../lib/host/deno_stream.ts";
import { FlushPoint } from "../../lib/host/flush_point.ts";
import { NodeStream } from "../../lib/host/node_stream.ts";
import type { Stream, StreamHandler } from "../../lib/host/stream.ts";
import { systemHost } from "../../lib/start.ts";
import { bench, benches, size } from "../kit.ts";

/** Both ends of one connection. */
interface Pair {
  readonly near: Stream;
  readonly far: Stream;
}

type Way = () => Promise<Pair>;

const host = systemHost();
const authority = await makeAuthority(host.random.bytes(32));
const leaf = await makeLeaf(authority, "a@127.0.0.1:9000", host.random.bytes(16));
const own = { cert: leaf.cert, key: leaf.key };
const point = new FlushPoint("Bun" in globalThis ? (run) => setImmediate(run) : queueMicrotask);
const nowhere = { hostname: "", port: 0 };

/**
 * Listens through `Host`, and returns a function that dials with `dial` and returns both ends of the
 * connection.
 */
async function byHost(dial: (port: number) => Promise<Stream>, clientCa?: string): Promise<Way> {
  let arrived: (stream: Stream) => void = () => {};
  const { address } = await host.listen(
    { hostname: "127.0.0.1", port: 0, tls: { ...own, clientCa } },
    (stream) => arrived(stream),
  );
  return async () => {
    const far = new Promise<Stream>((arrive) => arrived = arrive);
    return { near: await dial(address.port), far: await far };
  };
}

function dialByHost(certificate: object): (port: number) => Promise<Stream> {
  const client = { ca: authority.pem, serverName: SERVER_NAME, ...certificate };
  return (port) => host.connect({ hostname: "127.0.0.1", port, tls: client, timeoutMs: 5000 });
}

async function denoWays(): Promise<Record<string, Way>> {
  const window = new WriteWindow();
  const stream = (conn: Deno.Conn): Stream => new DenoStream(point, window, conn, nowhere);
  // `connectTls` verifies the dialed address, but our certificates contain one fixed name.
  const connectTls = async (port: number): Promise<Stream> =>
    stream(
      await Deno.connectTls({
        hostname: "127.0.0.1",
        port,
        caCerts: [authority.pem],
        unsafelyDisableHostnameVerification: true,
      }),
    );
  const startTls = async (port: number): Promise<Stream> => {
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
    tcp.setNoDelay(true);
    const conn = await Deno.startTls(tcp, { hostname: SERVER_NAME, caCerts: [authority.pem] });
    await conn.handshake();
    return stream(conn);
  };
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...own });
  const { port } = listener.addr as Deno.NetAddr;
  return {
    "node:tls to node:tls (ours)": await byHost(dialByHost({})),
    "node:tls to node:tls (ours, own certificates)": await byHost(dialByHost(own), authority.pem),
    "startTls to node:tls": await byHost(startTls),
    "connectTls to node:tls": await byHost(connectTls),
    "connectTls to listenTls": async () => {
      const far = listener.accept();
      return { near: await connectTls(port), far: stream(await far) };
    },
  };
}

async function bunWays(): Promise<Record<string, Way>> {
  const server = tls.createServer({ ...own, allowHalfOpen: true });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as { port: number };
  return {
    "Bun.connect to Bun.listen (ours)": await byHost(dialByHost({})),
    "Bun.connect to Bun.listen (ours, own certificates)": await byHost(
      dialByHost(own),
      authority.pem,
    ),
    "node:tls to node:tls": async () => {
      const far = new Promise<tls.TLSSocket>((up) => server.once("secureConnection", up));
      const socket = tls.connect({
        host: "127.0.0.1",
        port,
        ca: authority.pem,
        servername: SERVER_NAME,
      });
      await new Promise<void>((up) => socket.once("secureConnect", up));
      const near = new NodeStream(point, socket, nowhere);
      return { near, far: new NodeStream(point, await far, nowhere) };
    },
  };
}

/** Counts received bytes. `take` returns a promise that resolves when `bytes` more have arrived. */
class Counter implements StreamHandler {
  #left = 0;
  #reached: () => void = () => {};

  constructor(stream: Stream) {
    stream.handler = this;
  }

  take(bytes: number): Promise<void> {
    this.#left += bytes;
    return new Promise((reached) => this.#reached = reached);
  }

  data(bytes: Uint8Array): void {
    this.#left -= bytes.length;
    if (this.#left === 0) this.#reached();
  }

  drain(): void {}
  end(): void {}
  close(): void {}
}

const small = new Uint8Array(64);
const block = new Uint8Array(16 * 1024);
const BLOCKS = size(64, 2);
await benches("bench/host/dial_bench.ts", ["net"], async () => {
  const ways = "Bun" in globalThis ? await bunWays() : await denoWays();

  async function roundTrip(
    near: Stream,
    far: Stream,
    here: Counter,
    there: Counter,
  ): Promise<void> {
    const came = there.take(small.length);
    near.write(small);
    await came;
    const back = here.take(small.length);
    far.write(small);
    await back;
  }

  for (const [name, open] of Object.entries(ways)) {
    const { near, far } = await open();
    const [here, there] = [new Counter(near), new Counter(far)];

    bench(`round trip: ${name}`, { group: "round trip of 64 B" }, async () => {
      await roundTrip(near, far, here, there);
    });

    for (
      const [from, to, way] of [[near, there, "to acceptor"], [far, here, "to dialler"]] as const
    ) {
      const options = { group: "ten writes, a timer's tick apart", n: size(60, 1), warmup: 1 };
      bench(`spaced, ${way}: ${name}`, options, async () => {
        const all = to.take(10 * small.length);
        for (let i = 0; i < 10; i++) {
          from.write(small);
          await new Promise((tick) => setTimeout(tick, 1));
        }
        await all;
      });
    }

    bench(`${BLOCKS} × 16 KiB: ${name}`, { group: "throughput" }, async () => {
      const all = there.take(BLOCKS * block.length);
      for (let i = 0; i < BLOCKS; i++) near.write(block);
      await all;
    });

    bench(
      `dial: ${name}`,
      { group: "dial and first round trip", n: size(50, 1), warmup: 1 },
      async () => {
        const pair = await open();
        await roundTrip(pair.near, pair.far, new Counter(pair.near), new Counter(pair.far));
        pair.near.abort();
        pair.far.abort();
      },
    );
  }

  // On Bun, open sockets keep the process alive.
  if ("Bun" in globalThis) setTimeout(() => process.exit(0), size(30_000, 2_000)).unref?.();
});
