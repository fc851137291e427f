/**
 * Both ends of a session, for tests of terms: one end encodes terms, and the other decodes them.
 */
import { TermBuffer } from "../../lib/term/buffer.ts";
import { Decoder, type PidReader } from "../../lib/term/decode.ts";
import { Encoder, type PidWriter } from "../../lib/term/encode.ts";
import { type Home, Pid, Ref } from "../../lib/term/pid.ts";

/** The sender's node. */
export const HERE: Home = { node: "a@h:1", creation: 7, local: true };
/** A node other than the two nodes of the session. */
export const THERE: Home = { node: "c@h:3", creation: 9, local: false };

/** The nodes that both ends know, by index. */
export const HOMES: readonly Home[] = [HERE, { node: "b@h:2", creation: 8, local: false }, THERE];

/** Reads and writes pids by the indexes of {@linkcode HOMES}. */
export const PIDS: PidWriter & PidReader = {
  index: (home) => HOMES.indexOf(home) < 0 ? undefined : HOMES.indexOf(home),
  pid: (index, id) => HOMES[index] && new Pid(HOMES[index], id, undefined),
  ref: (index, id) => HOMES[index] && new Ref(HOMES[index], id),
};

/** The encoder of one node, and the decoder of its peer. */
export class Session {
  readonly encoder: Encoder;
  readonly decoder: Decoder = new Decoder(PIDS);
  readonly out: TermBuffer = new TermBuffer();

  constructor(bytesMax?: number) {
    this.encoder = new Encoder(PIDS, bytesMax);
  }

  /** Returns the bytes of a term. */
  encode(term: unknown): Uint8Array {
    this.encoder.encode(term, this.out);
    return this.out.take();
  }

  /** Returns the bytes of a term in hex, without decoding them. */
  hex(term: unknown): string {
    return this.encode(term).toHex();
  }

  /** Encodes and decodes a term. */
  pass(term: unknown): unknown {
    return this.decoder.decode(this.encode(term));
  }
}

/** Returns the bytes of hex digits, with optional spaces, and of ASCII text in double quotes. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/"([^"]*)"/g, (_, chars: string) => {
    return [...chars].map((char) => char.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  });
  return Uint8Array.fromHex(digits.replace(/\s/g, ""));
}
