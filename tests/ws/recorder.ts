/** Recorders for frame decoders, message readers and streams. */
import type { Stream, StreamHandler } from "../../lib/host/stream.ts";
import { IGNORE } from "../../lib/host/stream.ts";
import { FrameDecoder, type FrameSink, type Rule } from "../../lib/ws/frame.ts";
import { MessageReader, type MessageSink } from "../../lib/ws/message.ts";
import { Scratch, SCRATCH_BYTES } from "../../lib/ws/scratch.ts";
import { join, readFrames, type ReceivedFrame, toHex } from "../kit/ws_client.ts";

/** Records the events of a frame decoder, one line per event. */
export class FrameRecorder implements FrameSink {
  paused = false;
  readonly lines: string[] = [];
  /** The number of payload bytes received. */
  bytes = 0;

  begin(opcode: number, fin: boolean, length: number): Rule | undefined {
    this.lines.push(`begin ${opcode}${fin ? " fin" : ""} ${length}`);
    return undefined;
  }

  piece(scratch: Scratch, from: number, to: number, _high: number, left: number): undefined {
    this.bytes += to - from;
    if (to > from || left === 0) this.lines.push(`piece ${toHex(scratch.bytes.slice(from, to))}`);
  }

  control(opcode: number, payload: Uint8Array): undefined {
    this.lines.push(`control ${opcode} ${toHex(payload)}`.trim());
  }

  fail(rule: Rule): void {
    this.lines.push(`fail ${rule}`);
  }
}

/** Records the events of a message reader. */
export class MessageRecorder implements MessageSink {
  paused = false;
  readonly messages: (string | Uint8Array)[] = [];
  readonly controls: { opcode: number; payload: Uint8Array }[] = [];
  failed: Rule | undefined;

  message(data: string | Uint8Array): void {
    this.messages.push(data);
  }

  control(opcode: number, payload: Uint8Array): undefined {
    this.controls.push({ opcode, payload });
  }

  holds(): void {}

  fail(rule: Rule): void {
    this.failed = rule;
  }
}

/** Feeds a decoder chunk by chunk, as a connection does. */
export function feed(
  decoder: FrameDecoder,
  sink: FrameSink,
  chunks: readonly Uint8Array[],
  scratch: Scratch = new Scratch(),
): void {
  for (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += SCRATCH_BYTES) {
      const piece = chunk.subarray(from, from + SCRATCH_BYTES);
      scratch.bytes.set(piece);
      decoder.decode(scratch, 0, piece.length, sink);
    }
  }
}

/** Decodes these chunks. Returns the recorded events. */
export function decode(
  chunks: readonly Uint8Array[],
  lengthMax: number = 1 << 20,
  role: "server" | "client" = "server",
): FrameRecorder {
  const recorder = new FrameRecorder();
  feed(new FrameDecoder(role, lengthMax), recorder, chunks);
  return recorder;
}

/** Reads these chunks as a server does. Returns the recorded messages. */
export function read(chunks: readonly Uint8Array[], lengthMax: number = 1 << 20): MessageRecorder {
  const recorder = new MessageRecorder();
  feed(
    new FrameDecoder("server", lengthMax),
    new MessageReader(recorder, lengthMax),
    chunks,
  );
  return recorder;
}

/** Returns a separate array for each byte. */
export function byteByByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

/** A stream whose other end is the test. Written bytes count as unsent until `flush`. */
export class FakeStream implements Stream {
  readonly remote = { hostname: "192.0.2.1", port: 4711 };
  readonly peerCertificate = undefined;
  handler: StreamHandler = IGNORE;
  unsent = 0;
  isPaused = false;
  ended = false;
  aborted = false;
  /** The arguments of `write`. */
  readonly writes: Uint8Array[] = [];

  write(bytes: Uint8Array): void {
    if (this.ended || this.aborted) return;
    this.writes.push(bytes);
    this.unsent += bytes.length;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.ended = true;
  }

  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    this.handler.close({ kind: "aborted" });
  }

  /** Marks all written bytes as sent, and calls `drain`. */
  flush(): void {
    this.unsent = 0;
    this.handler.drain();
  }

  /** The frames that were written. */
  get frames(): ReceivedFrame[] {
    return readFrames(join(...this.writes)).frames;
  }

  /** The written frames in short form, such as "1 hi" and "8 1000 bye". */
  get sent(): string[] {
    return this.frames.map(({ opcode, payload }) => {
      if (opcode !== 8) return `${opcode} ${new TextDecoder().decode(payload)}`.trim();
      const code = payload.length === 0 ? 1005 : payload[0]! * 256 + payload[1]!;
      return `8 ${code} ${new TextDecoder().decode(payload.subarray(2))}`.trim();
    });
  }
}
