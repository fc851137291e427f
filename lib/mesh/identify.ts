/**
 * Finds out the name of the node at an address: runs the first half of a handshake, and ends it.
 * The node is dialed by that name afterwards.
 *
 *     this node                                  the node there
 *        │── NAME ───────────────────────────────▶│
 *        │◀── CHALLENGE: its name ────────────────│
 *        │── REJECT "duplicate" ─────────────────▶│  closes the connection without logging it
 *
 * @module
 */
import type { ClientTls, Host } from "../host/host.ts";
import type { Stream } from "../host/stream.ts";
import { encodeFrame, FrameReader, HANDSHAKE_FRAME_BYTES_MAX } from "./frame.ts";
import { type Self, VERSION } from "./handshake.ts";
import {
  decodeChallenge,
  decodeReject,
  encodeName,
  encodeReject,
  FLAG_READS_CERTIFICATE,
  NONCE_BYTES,
  TAG,
} from "./message.ts";
import { isNormalName } from "./name.ts";

/**
 * Time limit for TCP and TLS together, and again for the CHALLENGE after TLS, in milliseconds.
 */
const IDENTIFY_MS = 5_000;

/**
 * Time that the other node has to close the stream after the REJECT, in milliseconds. Then this
 * side aborts the stream.
 */
const CLOSE_MS = 1_000;

/**
 * Returns the name of the node at an address. Rejects with a `ConnectError`, or an error with the
 * reason.
 */
export async function identify(
  host: Host,
  self: Self,
  tls: ClientTls,
  hostname: string,
  port: number,
  signal: AbortSignal,
): Promise<string> {
  const stream = await host.connect({ hostname, port, tls, timeoutMs: IDENTIFY_MS, signal });
  return await new Promise<string>((found, fail) => {
    const reader = new FrameReader(HANDSHAKE_FRAME_BYTES_MAX);
    const end = (): void => fail(new Error("it hung up"));
    const late = host.clock.after(IDENTIFY_MS, () => {
      fail(new Error(`no name within ${IDENTIFY_MS} ms`));
      stream.abort();
    });
    const abort = (): void => stream.abort();
    signal.addEventListener("abort", abort);
    stream.handler = {
      data(bytes) {
        const frame = (tag: number, body: Uint8Array): boolean => {
          late.cancel();
          answer(self.name, tag, body, found, fail);
          leave(host, stream, () => signal.removeEventListener("abort", abort));
          return false;
        };
        if (!reader.push(bytes, { frame })) stream.abort();
      },
      drain() {},
      end,
      close() {
        late.cancel();
        signal.removeEventListener("abort", abort);
        end();
      },
    };
    const nonce = host.random.bytes(NONCE_BYTES);
    const { name, creation } = self;
    const hello = { name, creation, version: VERSION, features: 0, nonce };
    stream.write(encodeFrame(TAG.NAME, encodeName({ ...hello, flags: FLAG_READS_CERTIFICATE })));
  });
}

function answer(
  self: string,
  tag: number,
  body: Uint8Array,
  found: (name: string) => void,
  fail: (error: Error) => void,
): void {
  const name = tag === TAG.CHALLENGE ? decodeChallenge(body)?.message.name : undefined;
  if (name !== undefined && isNormalName(name)) return found(name);
  const reject = tag === TAG.REJECT ? decodeReject(body) : undefined;
  // A node answers `identify` with "duplicate" only if it has dialed itself, by its own address.
  if (reject?.reason === "duplicate") return found(self);
  fail(new Error(reject?.words ?? "it did not answer as a node does"));
}

/** Sends the REJECT, and calls `closed` when the stream is closed. */
function leave(host: Host, stream: Stream, closed: () => void): void {
  const timer = host.clock.after(CLOSE_MS, () => stream.abort());
  stream.handler = {
    data() {},
    drain() {},
    end: () => stream.abort(),
    close: () => {
      timer.cancel();
      closed();
    },
  };
  stream.write(encodeFrame(TAG.REJECT, encodeReject("duplicate", "it asked for the name only")));
  stream.end();
}
