/** A sink that keeps every frame, for tests of frames. */
import { concat } from "../../lib/base/bytes.ts";
import { FrameReader, type FrameSink } from "../../lib/mesh/frame.ts";

/** One frame: its tag and its body. */
export interface Frame {
  readonly tag: number;
  readonly body: Uint8Array;
}

/** Keeps every frame, up to `most` of them. */
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

/** Decodes bytes that hold exactly one frame. */
export function frameOf(bytes: Uint8Array): Frame {
  const collector = new Collector();
  const whole = new FrameReader(0xffff_ffff).push(bytes, collector);
  if (!whole || collector.frames.length !== 1) throw new Error(`not one frame: ${bytes.toHex()}`);
  return collector.frames[0]!;
}

/** Decodes hex; white space is ignored. */
export function hex(text: string): Uint8Array {
  return Uint8Array.fromHex(text.replace(/\s/g, ""));
}

/** Returns a copy of `bytes` with one bit flipped. */
export function flip(bytes: Uint8Array, at: number, mask = 1): Uint8Array {
  return bytes.with(at, bytes[at]! ^ mask);
}

/** Concatenates bytes. */
export function joined(...parts: Uint8Array[]): Uint8Array {
  return concat(parts);
}
