/**
 * Question: how does the codec of terms compare with `npm:msgpackr` with shared structures, and
 * with JSON as bytes?
 *
 *     deno run -A bench/peers/codec.ts <folder> 9      nine rounds on Deno
 *     bun bench/peers/codec.ts <folder> 9              nine rounds on Bun
 *
 * The folder contains `node_modules`, so that packages of this comparison stay out of the
 * repository. The codec runs as in a session: encodes into a reused buffer, and decodes from a
 * range of the received bytes. A round runs every contender once, in a separate process. Prints
 * medians of the rounds in messages per second, and the minimum and maximum of round trips.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { TermBuffer } from "../../lib/term/buffer.ts";
import { Decoder } from "../../lib/term/decode.ts";
import { Encoder } from "../../lib/term/encode.ts";
import { EVENT, SMALL } from "../term/samples.ts";

/** Number of windows. A result is their median. */
const WINDOWS = 7;

/** Duration in milliseconds of a window, and of the warm-up. */
const WINDOW_MS = 60;
const WARM_MS = 300;

const [folder = ".", what = "5"] = process.argv.slice(2);

/** The part of msgpackr that is used. */
interface Msgpackr {
  Packr: new (options: { structures: unknown[] }) => {
    pack(value: unknown): Uint8Array;
    unpack(bytes: Uint8Array): unknown;
  };
}

/** The encoder and the decoder of one session. */
interface Codec {
  encode(term: unknown): void;
  decode(bytes: Uint8Array): unknown;
  /** Encodes and decodes a term. */
  trip(term: unknown): unknown;
  /** Encodes a term. */
  bytes(term: unknown): Uint8Array;
}

const CONTENDERS: Readonly<Record<string, () => Codec>> = {
  firn() {
    const encoder = new Encoder();
    const decoder = new Decoder();
    const out = new TermBuffer();
    return {
      encode(term) {
        encoder.encode(term, out);
        out.clear();
      },
      decode: (bytes) => decoder.decode(bytes),
      trip(term) {
        encoder.encode(term, out);
        const back = decoder.decode(out.bytes, out.start, out.at);
        out.clear();
        return back;
      },
      bytes(term) {
        encoder.encode(term, out);
        return out.take();
      },
    };
  },
  msgpackr() {
    const { Packr }: Msgpackr = createRequire(`${folder}/package.json`)("msgpackr");
    const packr = new Packr({ structures: [] });
    return {
      encode: (term) => packr.pack(term),
      decode: (bytes) => packr.unpack(bytes),
      trip: (term) => packr.unpack(packr.pack(term)),
      bytes: (term) => packr.pack(term),
    };
  },
  json() {
    const utf8 = new TextEncoder();
    const text = new TextDecoder();
    const encode = (term: unknown): Uint8Array => utf8.encode(JSON.stringify(term));
    const decode = (bytes: Uint8Array): unknown => JSON.parse(text.decode(bytes));
    return { encode, decode, trip: (term) => decode(encode(term)), bytes: encode };
  },
};

const SAMPLES: Readonly<Record<string, unknown>> = { small: SMALL, event: EVENT };

/** The measurements of each contender and sample. */
const COLUMNS = ["round trip", "encode", "decode", "bytes"] as const;

type Row = Record<(typeof COLUMNS)[number], number>;

/** Keeps results, so that the compiler cannot remove their computation. */
let sink: unknown;

/** Measures one contender. Returns its results by sample. */
function measure(contender: string): Record<string, Row> {
  const rows: Record<string, Row> = {};
  const codec = CONTENDERS[contender]!();
  for (const [sample, term] of Object.entries(SAMPLES)) {
    for (let i = 0; i < 3; i++) sink = codec.trip(term);
    if (JSON.stringify(sink) !== JSON.stringify(term)) throw new Error(`${contender} is wrong`);
    const bytes = codec.bytes(term).slice();
    rows[sample] = {
      "round trip": rate(() => void (sink = codec.trip(term))),
      encode: rate(() => codec.encode(term)),
      decode: rate(() => void (sink = codec.decode(bytes))),
      bytes: bytes.length,
    };
  }
  return rows;
}

/** Returns the calls per second. */
function rate(body: () => void): number {
  window(body, WARM_MS);
  return median(Array.from({ length: WINDOWS }, () => window(body, WINDOW_MS)));
}

function window(body: () => void, ms: number): number {
  const start = performance.now();
  for (let calls = 200;; calls += 200) {
    for (let i = 0; i < 200; i++) body();
    const spent = performance.now() - start;
    if (spent > ms) return calls / spent * 1000;
  }
}

/** Measures one contender in a separate process. */
function spawn(contender: string): Record<string, Row> {
  const run = "Bun" in globalThis ? [] : ["run", "-A", "--no-check"];
  const file = fileURLToPath(import.meta.url);
  const child = spawnSync(process.execPath, [...run, file, folder, contender], {
    encoding: "utf8",
  });
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

function print(cells: readonly (string | number)[]): void {
  const texts = cells.map((cell) =>
    typeof cell === "number" ? Math.round(cell).toLocaleString("en") : cell
  );
  process.stdout.write(texts.map((text) => text.padStart(12)).join("") + "\n");
}

function main(): void {
  if (what in CONTENDERS) return void process.stdout.write(JSON.stringify(measure(what)));
  const names = Object.keys(CONTENDERS);
  const rounds = Array.from({ length: Number(what) }, () => {
    return Object.fromEntries(names.map((name) => [name, spawn(name)]));
  });
  for (const sample of Object.keys(SAMPLES)) {
    print([sample, ...COLUMNS, "lowest", "highest"]);
    for (const name of names) {
      const rows = rounds.map((round) => round[name]![sample]!);
      const trips = rows.map((row) => row["round trip"]);
      const medians = COLUMNS.map((column) => median(rows.map((row) => row[column])));
      print([name, ...medians, Math.min(...trips), Math.max(...trips)]);
    }
  }
}

main();
