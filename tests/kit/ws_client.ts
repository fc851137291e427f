/**
 * A WebSocket client that can violate the protocol: raw TCP with any bytes, and a frame encoder and
 * decoder of its own, so that the server is not tested with its own code.
 */
import type { Host } from "../../lib/host/host.ts";
import type { Stream, StreamEnd, StreamHandler } from "../../lib/host/stream.ts";
import { until } from "./test.ts";

/** The key of RFC 6455's example. */
export const SAMPLE_KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** The default mask of frames: that of RFC 6455's examples. */
export const SAMPLE_MASK: readonly number[] = [0x37, 0xfa, 0x21, 0x3d];

/** A valid or invalid frame. */
export interface FrameShape {
  /** The opcode, by default 1 for text. */
  readonly opcode?: number;
  /** The payload. A string is sent as UTF-8. */
  readonly payload?: string | Uint8Array;
  readonly fin?: boolean;
  /** The three reserved bits, as a number from 0 to 7. */
  readonly reserved?: number;
  /** The masking key. `false` omits the mask. */
  readonly mask?: readonly number[] | false;
  /** The number of bits of the length field, if it is not the shortest form. */
  readonly form?: 7 | 16 | 64;
  /** The length that the header announces, if it is not the actual one. */
  readonly claims?: number | bigint;
}

/** A frame that the server sent. */
export interface ReceivedFrame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** Parses hex digits, with optional blanks. */
export function hex(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replace(/\s/g, "");
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

/** Returns bytes as hex digits. */
export function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Returns the UTF-8 bytes of a string, or the given bytes. */
export function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

/** Concatenates arrays. */
export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Builds a client's frame, valid or invalid. */
export function buildFrame(shape: FrameShape = {}): Uint8Array {
  const { opcode = 1, fin = true, reserved = 0, mask = SAMPLE_MASK } = shape;
  const payload = bytesOf(shape.payload ?? "");
  const length = BigInt(shape.claims ?? payload.length);
  const form = shape.form ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
  const head = [(fin ? 0x80 : 0) | (reserved << 4) | opcode];
  head.push((mask ? 0x80 : 0) | (form === 7 ? Number(length) : form === 16 ? 126 : 127));
  for (let bits = form === 7 ? 0 : form; bits > 0; bits -= 8) {
    head.push(Number((length >> BigInt(bits - 8)) & 0xffn));
  }
  if (!mask) return join(Uint8Array.from(head), payload);
  const masked = payload.map((byte, i) => byte ^ mask[i % 4]!);
  return join(Uint8Array.from([...head, ...mask]), masked);
}

/** Parses a server's frames. Throws at frames that a server must not send. */
export function readFrames(bytes: Uint8Array): { frames: ReceivedFrame[]; rest: Uint8Array } {
  const frames: ReceivedFrame[] = [];
  let at = 0;
  for (;;) {
    const [first, second] = [bytes[at], bytes[at + 1]];
    if (first === undefined || second === undefined) break;
    if ((first & 0x70) !== 0) {
      throw new Error(`a reserved bit in ${toHex(bytes.slice(at, at + 4))}`);
    }
    if ((second & 0x80) !== 0) throw new Error("a server's frame is masked");
    const extra = second === 126 ? 2 : second === 127 ? 8 : 0;
    let length = extra === 0 ? second : 0;
    for (let i = 0; i < extra; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0);
    const start = at + 2 + extra;
    if (start + length > bytes.length) break;
    if (extra > 0 && length < (extra === 2 ? 126 : 65536)) throw new Error("not the shortest form");
    const payload = bytes.slice(start, start + length);
    frames.push({ fin: (first & 0x80) !== 0, opcode: first & 0x0f, payload });
    at = start + length;
  }
  return { frames, rest: bytes.subarray(at) };
}

/** Encodes the payload of a close frame without validation. */
export function closePayload(code: number, reason: string | Uint8Array = ""): Uint8Array {
  return join(Uint8Array.of(code >> 8, code & 0xff), bytesOf(reason));
}

/** Returns the request that opens a WebSocket. A header given as `undefined` is omitted. */
export function upgradeRequest(
  headers: Readonly<Record<string, string | undefined>> = {},
  line: string = "GET / HTTP/1.1",
): string {
  const all: Record<string, string | undefined> = {
    Host: "127.0.0.1",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": SAMPLE_KEY,
    "Sec-WebSocket-Version": "13",
    ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line}\r\n${lines.join("")}\r\n`;
}

/** A TCP connection on which a test sends any bytes. */
export class RawClient implements StreamHandler {
  readonly stream: Stream;
  /** The head of the HTTP response, once it is complete. */
  head: string | undefined;
  /** Frames received after a 101 response. */
  readonly frames: ReceivedFrame[] = [];
  /** Whether a close frame is answered with a close frame, as a client should. */
  polite = true;
  /** Whether the server has ended its side. */
  ended = false;
  /** The reason why the connection ended. */
  closed: StreamEnd | undefined;
  #chunks: Uint8Array[] = [];
  #read = 0;

  /** Connects to a server on this machine. */
  static async connect(host: Host, port: number): Promise<RawClient> {
    const stream = await host.connect({ hostname: "127.0.0.1", port, timeoutMs: 5000 });
    return new RawClient(stream);
  }

  /** Connects and opens a WebSocket. */
  static async open(
    host: Host,
    port: number,
    headers?: Readonly<Record<string, string | undefined>>,
    line?: string,
  ): Promise<RawClient> {
    const client = await RawClient.connect(host, port);
    client.write(upgradeRequest(headers, line));
    await client.answered();
    if (client.status !== 101) throw new Error(`no WebSocket: ${client.head}${client.text}`);
    return client;
  }

  constructor(stream: Stream) {
    this.stream = stream;
    stream.handler = this;
  }

  /** Returns the status of the HTTP response. */
  get status(): number {
    return Number(this.head?.split(" ")[1]);
  }

  /**
   * Received bytes that are not frames: those after the head, or all of them if there is no head.
   */
  get body(): Uint8Array {
    if (this.#chunks.length > 1) this.#chunks = [join(...this.#chunks)];
    return this.#chunks[0] ?? new Uint8Array(0);
  }

  /** Returns the bytes after the head as text. */
  get text(): string {
    return new TextDecoder().decode(this.body);
  }

  /** Returns a header of the HTTP response. */
  header(name: string): string | undefined {
    const line = this.head?.split("\r\n").find((each) =>
      each.toLowerCase().startsWith(`${name.toLowerCase()}:`)
    );
    return line?.slice(name.length + 1).trim();
  }

  write(data: string | Uint8Array): void {
    this.stream.write(bytesOf(data));
  }

  /** Sends a frame. */
  send(shape: FrameShape): void {
    this.write(buildFrame(shape));
  }

  /** Waits for the head of the HTTP response. */
  answered(): Promise<void> {
    return until(
      "the response has arrived",
      () => this.head !== undefined || this.closed !== undefined,
    );
  }

  /** Waits until the server has closed its side. */
  gone(ms?: number): Promise<void> {
    return until(
      "the server has closed the connection",
      () => this.ended || this.closed !== undefined,
      ms,
    );
  }

  /** Resolves to the next frame. */
  async next(): Promise<ReceivedFrame> {
    const at = this.#read++;
    await until("a frame has arrived", () => this.frames.length > at || this.closed !== undefined);
    const frame = this.frames[at];
    if (frame === undefined) throw new Error(`no frame ${at}: ${JSON.stringify(this.closed)}`);
    return frame;
  }

  /** Resolves to the payload of the next frame as text. */
  async nextText(): Promise<string> {
    return new TextDecoder().decode((await this.next()).payload);
  }

  /** Waits for the close frame, skipping other frames. Resolves to its code and reason. */
  async closeFrame(): Promise<{ code: number; reason: string }> {
    for (;;) {
      const { opcode, payload } = await this.next();
      if (opcode !== 8) continue;
      const code = payload.length === 0 ? 1005 : payload[0]! * 256 + payload[1]!;
      return { code, reason: new TextDecoder().decode(payload.subarray(2)) };
    }
  }

  /** Aborts the connection, and waits until it has closed. */
  async abort(): Promise<void> {
    this.stream.abort();
    await until("the stream has ended", () => this.closed !== undefined);
  }

  data(bytes: Uint8Array): void {
    this.#chunks.push(bytes.slice());
    if (this.head === undefined) {
      const text = new TextDecoder("latin1").decode(this.body);
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.head = text.slice(0, end);
      this.#chunks = [this.body.slice(end + 4)];
    }
    if (this.status !== 101) return;
    const { frames, rest } = readFrames(this.body);
    for (const frame of frames) {
      this.frames.push(frame);
      if (frame.opcode === 8 && this.polite) this.send({ opcode: 8, payload: frame.payload });
    }
    this.#chunks = [rest.slice()];
  }

  drain(): void {}

  end(): void {
    this.ended = true;
    this.stream.end();
  }

  close(end: StreamEnd): void {
    this.closed = end;
  }
}
