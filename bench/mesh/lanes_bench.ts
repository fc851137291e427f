/**
 * Question: how many small frames per second does a session carry, and how long does a small frame
 * take that is sent directly after a large one?
 *
 * Both ends of one session over loopback TLS share this process and its event loop, which is
 * saturated, so every result includes the work of both sides. One iteration of "small frames" sends
 * the frames of one turn and ends when the last has arrived. One iteration of "small behind large"
 * sends a frame of 16 MiB and then small frames, one per turn, and ends when all have arrived.
 * Percentiles of the small frames' latencies are printed at the end.
 *
 * @module
 */
import process from "node:process";
import { makeAuthority, makeLeaf, SERVER_NAME } from "../../lib/mesh/certificate.ts";
import { dispatch, type NodeMessages } from "../../lib/mesh/dispatch.ts";
import { Session, type SessionHandler, type SessionLimits } from "../../lib/mesh/session.ts";
import { FRAME_BYTES_MAX, FrameReader, startFrame } from "../../lib/mesh/frame.ts";
import type { Stream } from "../../lib/host/stream.ts";
import { systemHost } from "../../lib/start.ts";
import { metAs } from "../../tests/mesh/peer_info.ts";
import { bench, benches, isTiny, size } from "../kit.ts";

/** An unassigned tag, so that the session passes the frame to its handler. */
const TAG_SMALL = 0x77;
const TAG_LARGE = 0x78;

const SMALL_BYTES = 64;
const SMALL_COUNT = size(1000, 10);
const LARGE_BYTES = size(FRAME_BYTES_MAX - 64, 256 * 1024);

const LIMITS: SessionLimits = {
  quietMs: 600_000,
  deadlineMs: 1_200_000,
  queueBytesMax: 64 * 1024 * 1024,
};

/** Ignores messages of nodes, which are not measured. */
const NO_OWNER: NodeMessages = { exposed() {}, peerList() {}, roomSink: undefined };

/** Counts received frames, and resolves the promise that waits for them. */
class Receiver implements SessionHandler {
  /** Latencies of the small frames that contain their send time. */
  readonly delaysMs: number[] = [];
  #small = 0;
  #large = 0;
  #wake: () => void = () => {};

  came(small: number, large: number): Promise<void> {
    this.#small += small;
    this.#large += large;
    return new Promise((wake) => this.#wake = wake);
  }

  message(session: Session, tag: number, body: Uint8Array, bulk?: number): string | undefined {
    if (tag !== TAG_SMALL && tag !== TAG_LARGE) {
      return dispatch(
        session,
        { owner: NO_OWNER, actors: undefined },
        tag,
        body,
        bulk !== undefined,
      );
    }
    if (tag === TAG_SMALL) {
      this.#small--;
      if (body[8] === 1) {
        const sentAt = new DataView(body.buffer, body.byteOffset).getFloat64(0);
        this.delaysMs.push(performance.now() - sentAt);
      }
    } else this.#large--;
    if (this.#small === 0 && this.#large === 0) this.#wake();
    return undefined;
  }

  over(_session: Session, end: string, words: string): void {
    throw new Error(`the session ended: ${end}, ${words}`);
  }
}

await benches("bench/mesh/lanes_bench.ts", ["net"], async () => {
  const host = systemHost();
  const authority = await makeAuthority(host.random.bytes(32));
  const leaf = await makeLeaf(authority, "b@127.0.0.1:9000", host.random.bytes(16));
  let arrived: (stream: Stream) => void = () => {};
  const far = new Promise<Stream>((arrive) => arrived = arrive);
  const { address } = await host.listen(
    { hostname: "127.0.0.1", port: 0, tls: { cert: leaf.cert, key: leaf.key } },
    (stream) => arrived(stream),
  );
  const tls = { ca: authority.pem, serverName: SERVER_NAME };
  const near = await host.connect({ ...address, tls, timeoutMs: 5000 });
  const receiver = new Receiver();
  const sessions = [near, await far].map((stream, index) =>
    new Session(
      metAs(index === 0 ? "b@h:1" : "a@h:1"),
      index === 0,
      { stream, reader: new FrameReader(FRAME_BYTES_MAX) },
      receiver,
      LIMITS,
      1000,
      host,
    )
  );

  /** Writes a small frame into the outbox, as for a SEND. */
  function sendSmall(session: Session, sentAt: number): void {
    const out = session.outbox.begin(TAG_SMALL);
    out.reserve(SMALL_BYTES);
    out.view.setFloat64(out.at, sentAt);
    out.bytes[out.at + 8] = sentAt === 0 ? 0 : 1;
    out.at += SMALL_BYTES;
    if (!session.outbox.commit(false)) throw new Error("dropped");
  }

  const large = startFrame(TAG_LARGE, LARGE_BYTES);
  const nextTurn = (): Promise<void> => new Promise((wake) => setTimeout(wake, 0));

  const rounds = [0, 0];

  for (const [index, session] of sessions.entries()) {
    const way = index === 0 ? "dialler to acceptor" : "acceptor to dialler";

    bench(`${SMALL_COUNT} small frames, ${way}`, { group: "small frames" }, async () => {
      const all = receiver.came(SMALL_COUNT, 0);
      for (let i = 0; i < SMALL_COUNT; i++) sendSmall(session, 0);
      await all;
    });

    bench(`one large frame, ${way}`, { group: "one of 16 MiB" }, async () => {
      const all = receiver.came(0, 1);
      session.sendData(large);
      await all;
    });

    const name = `small behind large, ${way}`;
    const n = size(40, 2);
    bench(name, { group: "small behind one of 16 MiB", n, warmup: 5 }, async () => {
      const behind = size(20, 2);
      const all = receiver.came(behind, 1);
      session.sendData(large);
      for (let i = 0; i < behind; i++) {
        sendSmall(session, performance.now());
        if (i < behind - 1) await nextTurn();
      }
      await all;
      if (++rounds[index]! === n) report(name);
    });
  }

  function report(name: string): void {
    const delays = receiver.delaysMs.splice(0).sort((a, b) => a - b);
    if (isTiny()) return;
    const at = (share: number) => delays[Math.floor(share * (delays.length - 1))]!.toFixed(2);
    const { length } = delays;
    process.stderr.write(
      `${name}: delay of ${length}: p50 ${at(0.5)} ms, p99 ${at(0.99)}, max ${at(1)}\n`,
    );
  }
});
