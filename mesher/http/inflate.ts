/**
 * Decompresses bodies as they arrive, in small steps. Nothing of a body is lost silently: damaged
 * and incomplete data is rejected, and so is data after the end.
 *
 * @module
 */
import type { Transform } from "node:stream";
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from "node:zlib";
import { HttpError } from "./http_error.ts";
import { ZstdFrame } from "./zstd_frame.ts";

/** Functions that create a decoder, by content encoding. `first` is the first byte of the body. */
const DECODERS: Readonly<Record<string, (first: number) => Transform>> = {
  // The decoder reads all members of a gzip body.
  gzip: () => createGunzip(),
  "x-gzip": () => createGunzip(),
  // zlib's header, which some clients omit, has a first byte with these low bits.
  deflate: (first) => (first & 0x0f) === 8 ? createInflate() : createInflateRaw(),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(),
};

/**
 * Number of compressed bytes that are inflated at once. One byte may inflate to a thousand bytes,
 * and decoders return the whole output of a chunk before they read the next.
 */
const INFLATED_BYTES = 4_096;

/** Maximum number of frames of a zstd body. Each needs a decoder, even if it is empty. */
export const ZSTD_FRAMES_MAX = 1_000;

/** Maximum number of blocks of a zstd body. Each is written to the decoder separately. */
export const ZSTD_BLOCKS_MAX = 10_000;

/** The byte that is written to a decoder after a body, to detect whether the body is complete. */
const ONE_MORE = new Uint8Array(1);

/** Bytes of one frame. A body with another encoding than zstd is one frame. */
interface Part {
  readonly bytes: Uint8Array;
  /** Whether the frame ends with these bytes. */
  readonly isLast: boolean;
}

/** Returns whether bodies with this encoding can be decompressed. */
export function isEncoding(name: string): boolean {
  return Object.hasOwn(DECODERS, name);
}

/**
 * Decompresses a body. Throws 400 if it is damaged, incomplete or followed by other data, and
 * passes on an {@linkcode HttpError} of `sent`.
 */
export async function* inflated(
  sent: AsyncGenerator<Uint8Array>,
  encoding: string,
): AsyncGenerator<Uint8Array> {
  const slices = inSlices(sent);
  const parts = encoding === "zstd" ? zstdParts(slices) : wholeParts(slices);
  let isEmpty = true;
  try {
    for (let part = await parts.next(); !part.done; part = await parts.next()) {
      const decoder = DECODERS[encoding]!(part.value.bytes[0]!);
      for await (const chunk of decoded(decoder, part.value, parts)) {
        isEmpty = false;
        yield chunk;
      }
    }
  } catch (error) {
    if (error instanceof HttpError) throw error;
    isEmpty = true;
  } finally {
    // Not awaited, because the client may never send the next chunk.
    parts.return(undefined).catch(() => {});
  }
  if (isEmpty) throw new HttpError(400, `the body is not valid ${encoding}`);
}

/** Returns the content of the frame that begins with `first`. Throws if it is invalid. */
async function* decoded(
  decoder: Transform,
  first: Part,
  others: AsyncGenerator<Part>,
): AsyncGenerator<Uint8Array> {
  // Except for zstd, a decoder ends by itself if, and only if, its data has ended and one more byte
  // is written. This byte is written after the body, in order to reject incomplete data and data
  // after the end, which some decoders accept.
  let isRead = false;
  let isEnded = false;
  let isWhole = false;
  const push = decoder.push.bind(decoder);
  decoder.push = (chunk, encoding) => {
    if (chunk === null) [isEnded, isWhole] = [true, isRead];
    return push(chunk, encoding);
  };
  const write = async (): Promise<void> => {
    for (let part = first;;) {
      await new Promise((done) => decoder.write(part.bytes, done));
      if (isEnded || decoder.destroyed) return;
      if (part.isLast) {
        isRead = true;
        return void decoder.end();
      }
      const next = await others.next();
      if (next.done) break;
      part = next.value;
    }
    isRead = true;
    await new Promise((done) => decoder.write(ONE_MORE, done));
    if (!isEnded) throw new Error("the body is incomplete");
  };
  write().catch((error) => decoder.destroy(error));
  try {
    for await (const chunk of decoder) yield chunk as Uint8Array;
  } finally {
    decoder.destroy();
  }
  if (!isWhole) throw new HttpError(400, "the body continues after the end of its data");
}

async function* wholeParts(slices: AsyncIterable<Uint8Array>): AsyncGenerator<Part> {
  for await (const bytes of slices) yield { bytes, isLast: false };
}

/** Divides a zstd body into its frames, and these into blocks. */
async function* zstdParts(slices: AsyncIterable<Uint8Array>): AsyncGenerator<Part> {
  let frame = new ZstdFrame();
  let [frames, blocks] = [1, 0];
  for await (const slice of slices) {
    for (let rest = slice; rest.length > 0;) {
      if (frame.isEnded) {
        frames++;
        blocks += frame.blocks;
        frame = new ZstdFrame();
      }
      const bytes = rest.subarray(0, frame.take(rest));
      if (frames > ZSTD_FRAMES_MAX || blocks + frame.blocks > ZSTD_BLOCKS_MAX) {
        throw new HttpError(400, "the body has too many frames or blocks of zstd");
      }
      rest = rest.subarray(bytes.length);
      yield { bytes, isLast: frame.isEnded };
    }
  }
  if (!frame.isEnded) throw new HttpError(400, "the body ends within a frame of zstd");
}

async function* inSlices(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += INFLATED_BYTES) {
      yield chunk.subarray(at, at + INFLATED_BYTES);
    }
  }
}
