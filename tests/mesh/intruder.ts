/**
 * A client that ignores all rules: TLS that trusts every certificate, or plain TCP, and arbitrary
 * bytes.
 */
import { Buffer } from "node:buffer";
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import tls from "node:tls";
import { encodeFrame, FrameReader } from "../../lib/mesh/frame.ts";
import { parseName } from "../../lib/mesh/name.ts";
import { until } from "../kit/test.ts";
import { Collector, type Frame } from "./collector.ts";

/** One connection of the intruder. */
export class Intruder {
  readonly socket: Socket;
  /** Whether the connection has ended. */
  isOver = false;
  /** Every chunk that the intruder has received. */
  readonly bytes: Uint8Array[] = [];
  readonly #collector = new Collector();
  readonly #reader = new FrameReader(0xffff_ffff);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes: Uint8Array) => {
      this.bytes.push(bytes);
      this.#reader.push(bytes, this.#collector);
    });
    socket.on("error", () => {});
    socket.on("end", () => this.isOver = true);
    socket.on("close", () => this.isOver = true);
  }

  /** Connects to the named node in plain TCP, from the given local address if any. */
  static async plain(name: string, localAddress?: string): Promise<Intruder> {
    const { hostname, port } = parseName(name)!;
    const socket = connectTcp({ host: hostname, port, ...(localAddress && { localAddress }) });
    let connected = false;
    socket.once("connect", () => connected = true);
    const intruder = new Intruder(socket);
    await until("TCP is connected", () => connected || intruder.isOver);
    return intruder;
  }

  /** Connects to the named node by TLS, and accepts any certificate. */
  static async secure(name: string, localAddress?: string): Promise<Intruder> {
    const { hostname, port } = parseName(name)!;
    // On Bun, TLS over a given socket may never finish if the listener changes its certificate.
    const to = localAddress === undefined
      ? { host: hostname, port }
      : { socket: (await Intruder.plain(name, localAddress)).socket };
    const socket = tls.connect({ ...to, rejectUnauthorized: false });
    let secured = false;
    socket.once("secureConnect", () => secured = true);
    const intruder = new Intruder(socket);
    await until("TLS is established", () => secured || intruder.isOver);
    return intruder;
  }

  /** The certificate of the other side, in DER. */
  get certificate(): Uint8Array | undefined {
    return (this.socket as tls.TLSSocket).getPeerCertificate().raw;
  }

  /** Every frame that the intruder has received. */
  get frames(): readonly Frame[] {
    return this.#collector.frames;
  }

  send(tag: number, body?: Uint8Array): void {
    this.socket.write(encodeFrame(tag, body));
  }

  write(...parts: Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** Waits for the frame with this index. */
  async frame(index: number): Promise<Frame> {
    await until(`frame ${index} has arrived`, () => this.frames.length > index || this.isOver);
    const frame = this.frames[index];
    if (frame === undefined) throw new Error(`cut before frame ${index}`);
    return frame;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** A man in the middle between two nodes. */
export interface Middle {
  readonly port: number;
  /** Everything that was forwarded, in both directions, as the man in the middle received it. */
  readonly seen: Uint8Array[];
  /** The number of connections so far. */
  readonly count: number;
  /** While `true`, nothing is forwarded. */
  held: boolean;
  close(): Promise<void>;
}

/**
 * The TLS of the man in the middle: its own certificate for clients, and no verification of the
 * server.
 */
export interface MiddleTls {
  readonly cert: string;
  readonly key: string;
}

/**
 * Forwards connections to the port `target`: either TCP bytes unchanged, or decrypted and encrypted
 * again.
 */
export async function startMiddle(
  target: number,
  own?: MiddleTls,
  port: number = 0,
): Promise<Middle> {
  const open = new Set<Socket>();
  const waiting: (() => void)[] = [];
  const middle = { port: 0, seen: [] as Uint8Array[], count: 0, held: false, close };
  const track = (socket: Socket): void => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
  };
  const pipe = (from: Socket, to: Socket): void => {
    from.on("data", (bytes: Uint8Array) => {
      middle.seen.push(bytes);
      if (middle.held) waiting.push(() => to.write(bytes));
      else {
        for (const pass of waiting.splice(0)) pass();
        to.write(bytes);
      }
    });
    from.on("end", () => to.end());
    from.on("close", () => to.destroy());
  };
  const accept = (near: Socket): void => {
    middle.count++;
    track(near);
    const far = own === undefined
      ? connectTcp({ host: "127.0.0.1", port: target })
      : tls.connect({ host: "127.0.0.1", port: target, rejectUnauthorized: false });
    track(far);
    pipe(near, far);
    pipe(far, near);
  };
  const server: Server = own === undefined
    ? createServer(accept)
    : tls.createServer({ ...own, minVersion: "TLSv1.3" }, accept);
  server.on("connection", track);
  server.on("tlsClientError", (_error: Error, socket: Socket) => socket.destroy());
  await new Promise<void>((listening) => server.listen(port, "127.0.0.1", listening));
  middle.port = (server.address() as { port: number }).port;
  const release = setInterval(() => {
    if (!middle.held) { for (const pass of waiting.splice(0)) pass(); }
  }, 2);

  async function close(): Promise<void> {
    clearInterval(release);
    for (const socket of open) socket.destroy();
    const closed = new Promise<void>((done) => server.close(() => done()));
    await until("all connections are closed", () => open.size === 0);
    await closed;
  }
  return middle;
}
