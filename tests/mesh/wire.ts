/** One loopback connection over the real host, whose other end is controlled by the test. */
import { concat } from "../../lib/base/bytes.ts";
import type { Listener } from "../../lib/host/host.ts";
import type { Stream, StreamEnd, StreamHandler } from "../../lib/host/stream.ts";
import { SERVER_NAME } from "../../lib/mesh/certificate.ts";
import { checkNodeUri } from "../../lib/mesh/certificate_names.ts";
import { encodeFrame, FrameReader } from "../../lib/mesh/frame.ts";
import { Initiator } from "../../lib/mesh/handshake.ts";
import { parseName } from "../../lib/mesh/name.ts";
import { makeHost } from "../kit/host.ts";
import { testKeys } from "../kit/keys.ts";
import { until } from "../kit/test.ts";
import { Collector, type Frame } from "./collector.ts";

/**
 * The end of a connection that a test controls. Writes arbitrary bytes and keeps every received
 * frame.
 */
export class Raw implements StreamHandler {
  readonly stream: Stream;
  /** The reason why the stream ended on this side. */
  closed: StreamEnd | undefined;
  /** Whether the other side has announced its end. */
  ended = false;
  readonly #collector = new Collector();
  readonly #reader = new FrameReader(0xffff_ffff);

  constructor(stream: Stream) {
    this.stream = stream;
    stream.handler = this;
  }

  /** Every frame that the test's end has received. */
  get frames(): readonly Frame[] {
    return this.#collector.frames;
  }

  /** The tags of the frames that the test's end has received. */
  get tags(): number[] {
    return this.frames.map(({ tag }) => tag);
  }

  /** Whether nothing more will be received. */
  get isOver(): boolean {
    return this.ended || this.closed !== undefined;
  }

  send(tag: number, body?: Uint8Array): void {
    this.stream.write(encodeFrame(tag, body));
  }

  write(...parts: Uint8Array[]): void {
    this.stream.write(concat(parts));
  }

  data(bytes: Uint8Array): void {
    this.#reader.push(bytes, this.#collector);
  }

  drain(): void {}

  end(): void {
    this.ended = true;
  }

  close(end: StreamEnd): void {
    this.closed = end;
  }
}

/** Joins the cluster as a member whose messages the test sends. */
export async function joinAs(name: string, target: string, creation: number = 1): Promise<Raw> {
  const { authority, proofKey } = await testKeys();
  const { hostname, port } = parseName(target)!;
  const tls = { ca: authority.pem, serverName: SERVER_NAME };
  const raw = new Raw(await makeHost().connect({ hostname, port, tls, timeoutMs: 5000 }));
  const self = { name, creation, proofKey, exposed: [] };
  const nonce = crypto.getRandomValues(new Uint8Array(32));
  const machine = new Initiator(
    self,
    target,
    nonce,
    raw.stream.peerCertificate,
    () => 0n,
    checkNodeUri,
  );
  const begun = machine.begin();
  if (begun.kind !== "send") throw new Error(`${name}: ${JSON.stringify(begun)}`);
  raw.write(begun.frame);
  for (let index = 0;; index++) {
    await until(`frame ${index} has arrived`, () => raw.frames.length > index || raw.isOver);
    const frame = raw.frames[index];
    const step = frame && machine.receive(frame.tag, frame.body);
    if (step?.kind === "up") return raw;
    if (step?.kind === "send") raw.write(step.frame);
    else {
      raw.stream.abort();
      throw new Error(`${name} was refused: ${JSON.stringify(step)}`);
    }
  }
}

/** Both ends of a TCP connection: ours, without a handler yet, and the test's. */
export interface Wire {
  readonly near: Stream;
  readonly far: Raw;
}

/** Runs `body` with a connection. */
export async function withWire(
  body: (wire: Wire, host: ReturnType<typeof makeHost>) => Promise<void>,
): Promise<void> {
  const host = makeHost();
  let near: Stream | undefined;
  const listener: Listener = await host.listen(
    { hostname: "127.0.0.1", port: 0 },
    (stream) => near = stream,
  );
  const far = new Raw(await host.connect({ ...listener.address, timeoutMs: 5000 }));
  await until("both ends are open", () => near !== undefined);
  try {
    await body({ near: near!, far }, host);
  } finally {
    near!.abort();
    far.stream.abort();
    await listener.close();
    await until("the far end is closed", () => far.closed !== undefined);
  }
}
