/**
 * The cases of group 9: large messages, small fragments, many messages. `FIRN_RFC6455=full` runs
 * them in the sizes of the public suite; otherwise all sizes are a sixteenth of that.
 */
import process from "node:process";
import {
  BINARY,
  binary,
  type Case,
  CONTINUATION,
  type Expected,
  frame,
  section,
  TEXT,
  text,
} from "./case.ts";

/** Whether the sizes are those of the public suite. */
export const FULL: boolean = process.env["FIRN_RFC6455"] === "full";
const SHRINK = FULL ? 1 : 16;
const KIB = 1024;
const MIB = KIB * KIB;

/** A kind of message: its opcode, its payload, and the server's echo. */
interface Kind {
  readonly opcode: number;
  readonly name: string;
  payload(length: number): Uint8Array;
  echo(payload: Uint8Array): Expected;
}

const TEXTS: Kind = {
  opcode: TEXT,
  name: "text",
  payload: (length) => new Uint8Array(length).fill(0x2a),
  echo: text,
};

const BINARIES: Kind = {
  opcode: BINARY,
  name: "binary",
  payload: (length) => new Uint8Array(length).fill(0xfe),
  echo: binary,
};

function inOne(
  { opcode, name, payload, echo }: Kind,
  id: string,
  lengths: readonly number[],
): Case[] {
  return section(
    id,
    lengths.map((full) => {
      const bytes = payload(full / SHRINK);
      return {
        title: `${name} of ${bytes.length} bytes`,
        sends: [frame(opcode, bytes)],
        expects: [echo(bytes)],
        large: true,
      };
    }),
  );
}

function inFragments(kind: Kind, id: string): Case[] {
  const bytes = kind.payload(4 * MIB / SHRINK);
  const sizes = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB];
  return section(
    id,
    sizes.map((size) => {
      const sends: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        const part = bytes.subarray(at, at + size);
        const fin = at + size >= bytes.length;
        sends.push(frame(at === 0 ? kind.opcode : CONTINUATION, part, { fin }));
      }
      return {
        title: `${kind.name} of ${bytes.length} bytes in fragments of ${size}`,
        sends,
        expects: [kind.echo(bytes)],
        large: true,
      };
    }),
  );
}

function many({ opcode, name, payload, echo }: Kind, id: string): Case[] {
  const count = 1000 / (FULL ? 1 : 10);
  return section(
    id,
    [0, 16, 64, 256, KIB, 4 * KIB].map((length) => {
      const bytes = payload(length);
      return {
        title: `${count} times ${name} of ${length} bytes`,
        sends: new Array(count).fill(frame(opcode, bytes)),
        expects: new Array(count).fill(echo(bytes)),
        large: true,
      };
    }),
  );
}

const GROWING = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB];
/**
 * The lengths of six messages that the public suite splits into segments of 64 to 2048 bytes. This
 * client splits the messages of every case.
 */
const SEGMENTED: number[] = new Array(6).fill(MIB);

/** All cases of group 9, large and many messages. */
export const VOLUME: readonly Case[] = [
  ...inOne(TEXTS, "9.1", GROWING),
  ...inOne(BINARIES, "9.2", GROWING),
  ...inFragments(TEXTS, "9.3"),
  ...inFragments(BINARIES, "9.4"),
  ...inOne(TEXTS, "9.5", SEGMENTED),
  ...inOne(BINARIES, "9.6", SEGMENTED),
  ...many(TEXTS, "9.7"),
  ...many(BINARIES, "9.8"),
];
