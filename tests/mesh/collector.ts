/**
 * A sink that keeps what it is given, for tests of frames.
 */
import { concat } from "../../lib/base/bytes.ts";
import { FrameReader, type FrameSink } from "../../lib/mesh/frame.ts";

/** One frame: its tag and its body. */
export interface Frame {
  readonly tag: number;
  readonly body: Uint8Array;
}

/** Keeps every frame, up to `most`. */
export class Collector implements FrameSink {
  readonly frames: Frame[] = [];
  readonly #most: number;

  constructor(most: number = Infinity) {
    this.#most = most;
  }

  /** Each frame as `tag:body`, in hex. */
  get hex(): string[] {
    return this.frames.map(({ tag, body }) => `${new Uint8Array([tag]).toHex()}:${body.toHex()}`);
  }

  frame(tag: number, body: Uint8Array): boolean {
    this.frames.push({ tag, body: body.slice() });
    return this.frames.length < this.#most;
  }
}

/** The one frame that these bytes are. */
export function frameOf(bytes: Uint8Array): Frame {
  const collector = new Collector();
  const whole = new FrameReader(0xffff_ffff).push(bytes, collector);
  if (!whole || collector.frames.length !== 1) throw new Error(`not one frame: ${bytes.toHex()}`);
  return collector.frames[0]!;
}

/** Bytes from hex, with spaces for the reader's eyes. */
export function hex(text: string): Uint8Array {
  return Uint8Array.fromHex(text.replace(/\s/g, ""));
}

/** `bytes` with one bit turned over. */
export function flip(bytes: Uint8Array, at: number, mask = 1): Uint8Array {
  return bytes.with(at, bytes[at]! ^ mask);
}

/** Bytes one behind the other. */
export function joined(...parts: Uint8Array[]): Uint8Array {
  return concat(parts);
}
