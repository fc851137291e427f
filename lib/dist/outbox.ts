/**
 * What one session has to send: frames are written into one buffer, and what a turn has written leaves
 * in one piece at its end.
 *
 *     control ───────────────────────────────▶ stream
 *     begin, fields, commit ─▶ buffer ─(flush)─▶ stream
 *
 * @module
 */
import type { Stream } from "../host/stream.ts";
import { TermBuffer } from "../term/buffer.ts";
import { FRAME_HEAD_BYTES } from "./frame.ts";

/** Past this many bytes in the buffer, they leave before the turn has ended. */
const PIECE_BYTES_MAX = 64 * 1024;

/** The frames of one session, on their way out. */
export class Outbox {
  /** Data frames that were dropped because too much was waiting. */
  dropped = 0;
  readonly #stream: Stream;
  readonly #bytesMax: number;
  readonly #atFlush: (task: () => void) => void;
  readonly #out = new TermBuffer();
  /** Where the frame begins that is being written. */
  #begun = 0;
  #armed = false;

  /** Past `bytesMax` unsent bytes data frames are dropped. */
  constructor(stream: Stream, bytesMax: number, atFlush: (task: () => void) => void) {
    this.#stream = stream;
    this.#bytesMax = bytesMax;
    this.#atFlush = atFlush;
  }

  /** Bytes that wait to be sent. */
  get unsent(): number {
    return this.#stream.unsent + this.#out.at - this.#out.start;
  }

  /** Sends a frame before all data. */
  control(frame: Uint8Array): void {
    this.#stream.write(frame);
  }

  /** Sends a whole data frame. False: it was dropped. */
  data(frame: Uint8Array): boolean {
    if (this.unsent + frame.length > this.#bytesMax) {
      this.dropped++;
      return false;
    }
    this.#push();
    this.#stream.write(frame);
    return true;
  }

  /** Begins a data frame: its body is to be written where this buffer stands. */
  begin(tag: number): TermBuffer {
    const out = this.#out;
    out.reserve(FRAME_HEAD_BYTES + 1);
    this.#begun = out.at;
    out.at += FRAME_HEAD_BYTES;
    out.bytes[out.at++] = tag;
    return out;
  }

  /** Takes the frame back that was begun. */
  cancel(): void {
    this.#out.at = this.#begun;
  }

  /** Sends the frame that was begun. False: it was dropped. `vital`: it never is. */
  commit(vital: boolean): boolean {
    const out = this.#out;
    const begun = this.#begun;
    if (!vital && this.unsent > this.#bytesMax) {
      this.dropped++;
      out.at = begun;
      return false;
    }
    out.view.setUint32(begun, out.at - begun - FRAME_HEAD_BYTES, true);
    if (out.at - out.start > PIECE_BYTES_MAX) this.#push();
    else if (!this.#armed) {
      this.#armed = true;
      this.#atFlush(this.#flush);
    }
    return true;
  }

  readonly #flush = (): void => {
    this.#armed = false;
    this.#push();
  };

  #push(): void {
    if (this.#out.at > this.#out.start) this.#stream.write(this.#out.take());
  }
}
