/**
 * The test client. It sends the frames of a case, split as configured, and compares everything that
 * it receives.
 */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { SeededRandom } from "../../lib/base/random.ts";
import { makeAuthority, makeLeaf, SERVER_NAME } from "../../lib/mesh/certificate.ts";
import type { ClientTls, Host, ServerTls } from "../../lib/host/host.ts";
import type { Stream, StreamEnd, StreamHandler } from "../../lib/host/stream.ts";
import { until } from "../kit/test.ts";
import { bytesOf, join, toHex, upgradeRequest } from "../kit/ws_client.ts";
import { type Case, CLOSE, close, type Expected } from "./case.ts";

/** How the sent bytes are split into segments. */
export const CUTS = ["one segment", "single bytes", "random segments"] as const;

/** One of {@linkcode CUTS}. */
export type Cut = (typeof CUTS)[number];

/** The transports that are tested. */
export const WIRES = ["TCP", "TLS"] as const;

/** One of {@linkcode WIRES}. */
export type Wire = (typeof WIRES)[number];

/** Returns a server's certificate and the settings of a client that trusts it. */
export async function makeTls(): Promise<{ server: ServerTls; client: ClientTls }> {
  const random = new SeededRandom(7);
  const authority = await makeAuthority(random.bytes(32));
  const leaf = await makeLeaf(authority, "a@127.0.0.1:9000", random.bytes(16));
  return {
    server: { cert: leaf.cert, key: leaf.key },
    client: { ca: authority.pem, serverName: SERVER_NAME },
  };
}

/** A received frame. */
export interface Frame extends Expected {
  readonly fin: boolean;
  /** The three reserved bits. */
  readonly reserved: number;
}

/** One connection of the test client. */
export class Judge implements StreamHandler {
  /** The head of the response. */
  head = "";
  /** The received frames. */
  readonly frames: Frame[] = [];
  readonly #stream: Stream;
  readonly #random: SeededRandom;
  readonly #cut: Cut;
  #bytes = new Uint8Array(1024);
  #length = 0;
  #at = 0;
  #ended = false;
  #closed: StreamEnd | undefined;

  constructor(stream: Stream, cut: Cut, seed: number) {
    this.#stream = stream;
    this.#cut = cut;
    this.#random = new SeededRandom(seed);
    stream.handler = this;
  }

  /** Connects and opens a WebSocket. */
  static async open(
    host: Host,
    port: number,
    tls: ClientTls | undefined,
    cut: Cut,
    extensions?: string,
  ): Promise<Judge> {
    const stream = await host.connect({ hostname: "127.0.0.1", port, tls, timeoutMs: 10_000 });
    const judge = new Judge(stream, cut, port);
    await judge.send([bytesOf(upgradeRequest({ "Sec-WebSocket-Extensions": extensions }))]);
    await until("the response has arrived", () => judge.head !== "" || judge.#ended);
    if (!judge.head.startsWith("HTTP/1.1 101 ")) {
      stream.abort();
      throw new Error(`no WebSocket: ${judge.head}`);
    }
    assertEquals(judge.header("Sec-WebSocket-Accept"), ACCEPT);
    return judge;
  }

  /** Returns a header of the response. */
  header(name: string): string | undefined {
    const line = this.head.split("\r\n").find((each) =>
      each.toLowerCase().startsWith(`${name.toLowerCase()}:`)
    );
    return line?.slice(name.length + 1).trim();
  }

  /** Sends these frames, split as configured. */
  async send(frames: readonly Uint8Array[], large = false): Promise<void> {
    const bytes = join(...frames);
    // Large messages would take too long byte by byte, so they are split into segments of packet
    // size.
    const most = this.#cut === "one segment"
      ? bytes.length
      : this.#cut === "single bytes"
      ? large ? 1460 : 1
      : large
      ? 8192
      : 16;
    for (let at = 0; at < bytes.length && this.#closed === undefined;) {
      const random = this.#cut === "random segments" ? 1 + this.#random.below(most) : most;
      this.#stream.write(bytes.subarray(at, at + random));
      at += random;
      // Waits until the segment is sent, because the stream would otherwise join it with the next
      // one.
      do await new Promise<void>((turn) => setImmediate(turn)); while (this.#stream.unsent > 0);
    }
  }

  /** Waits for `count` frames. */
  async until(count: number): Promise<void> {
    await until(
      `${count} frames have arrived`,
      () => this.frames.length >= count || this.#ended,
    );
  }

  /**
   * Waits for the server's close frame, after which no bytes may follow, and the end of the
   * connection. Returns the close code.
   */
  async over(): Promise<number> {
    await until("the server has closed its side", () => this.#ended);
    this.#stream.end();
    await until("the connection is closed", () => this.#closed !== undefined);
    assertEquals(this.#closed, { kind: "closed" });
    assertEquals(this.#at, this.#length, "the server stopped within a frame");
    const last = this.frames.pop();
    assertEquals(last?.opcode, CLOSE, "the server ended without a close frame");
    const { payload } = last!;
    assert(payload.length !== 1);
    return payload.length === 0 ? 1005 : payload[0]! * 256 + payload[1]!;
  }

  /** Runs one case. */
  async judge(row: Case): Promise<void> {
    await this.send(row.sends, row.large);
    if (row.close === undefined) {
      await this.until(row.expects.length);
      await this.send([close(1000)]);
    }
    assertEquals(await this.over(), row.close ?? 1000);
    compare(this.frames, row.expects);
  }

  data(bytes: Uint8Array): void {
    this.#keep(bytes);
    if (this.head === "") {
      const text = new TextDecoder("latin1").decode(this.#bytes.subarray(0, this.#length));
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.head = text.slice(0, end);
      this.#at = end + 4;
    }
    for (let next = this.#frame(); next > 0; next = this.#frame()) this.#at = next;
  }

  drain(): void {}

  end(): void {
    this.#ended = true;
  }

  close(end: StreamEnd): void {
    this.#ended = true;
    this.#closed = end;
  }

  #keep(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const grown = new Uint8Array(2 * (this.#length + bytes.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Reads the frame at `#at`. Returns the offset after it, or 0 if it is incomplete. */
  #frame(): number {
    const bytes = this.#bytes.subarray(this.#at, this.#length);
    if (bytes.length < 2) return 0;
    const [first, second] = [bytes[0]!, bytes[1]!];
    assert(second < 0x80, "a server's frame is masked");
    const extra = second === 126 ? 2 : second === 127 ? 8 : 0;
    if (bytes.length < 2 + extra) return 0;
    let length = extra === 0 ? second : 0;
    for (let i = 0; i < extra; i++) length = length * 256 + bytes[2 + i]!;
    assert(
      extra === 0 || length >= (extra === 2 ? 126 : 65536),
      "the length is not in its shortest form",
    );
    if (bytes.length < 2 + extra + length) return 0;
    const payload = bytes.slice(2 + extra, 2 + extra + length);
    this.frames.push({
      fin: first >= 0x80,
      reserved: (first >> 4) & 7,
      opcode: first & 15,
      payload,
    });
    return this.#at + 2 + extra + length;
  }
}

/** The accept value for the key `dGhlIHNhbXBsZSBub25jZQ==`, from the RFC's example. */
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** Throws unless the frames are the expected ones, unfragmented and without reserved bits. */
function compare(frames: readonly Frame[], expects: readonly Expected[]): void {
  frames.forEach((frame, i) => {
    const expected = expects[i];
    assert(expected !== undefined, `frame ${i} was not expected: ${shown(frame)}`);
    assert(frame.fin && frame.reserved === 0, `frame ${i} is ${shown(frame)}`);
    const same = frame.opcode === expected.opcode && equal(frame.payload, expected.payload);
    assert(same, `frame ${i} is ${shown(frame)}, not ${shown(expected)}`);
  });
  assertEquals(frames.length, expects.length, "frames are missing");
}

/** Returns whether both arrays have the same bytes. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function shown({ opcode, payload }: Expected): string {
  return `opcode ${opcode} with ${payload.length} bytes, ${toHex(payload.subarray(0, 20))}`;
}

/** Runs all cases, `atOnce` at a time, and reports all failures together. */
export async function judgeAll<Row extends { id: string; title: string }>(
  rows: readonly Row[],
  judge: (row: Row) => Promise<void>,
  atOnce = 32,
): Promise<void> {
  const left = [...rows];
  const failures: string[] = [];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let row = left.shift(); row !== undefined; row = left.shift()) {
      try {
        await judge(row);
      } catch (error) {
        failures.push(`${row.id} ${row.title}: ${error}`);
      }
    }
  }));
  if (failures.length > 0) throw new Error(`${failures.length} cases fail\n${failures.join("\n")}`);
}
