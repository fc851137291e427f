/**
 * Question: how does the codec of terms compare with `npm:msgpackr` with shared structures, and
 * with JSON as bytes, on Deno and on Bun?
 *
 *     deno run -A bench/peers/codec.ts --rounds 9
 *
 * The codec runs as in a session: encodes into a reused buffer, and decodes from a range of the
 * received bytes. A round runs every contender once, in a separate process. Prints medians of the
 * rounds in thousands of messages per second.
 *
 * @module
 */
import { createRequire } from "node:module";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { TermBuffer } from "../../lib/term/buffer.ts";
import { Decoder } from "../../lib/term/decode.ts";
import { Encoder } from "../../lib/term/encode.ts";
import { size } from "../kit.ts";
import { median, NOISE_RULE } from "../spread.ts";
import { EVENT, SMALL } from "../term/samples.ts";
import { report } from "./measure.ts";
import { install, temporaryFolder } from "./packages.ts";
import { bun, deno, path, runProgram, version } from "./programs.ts";
import {
  cellOf,
  type Contender,
  makeRounds,
  printResults,
  readWanted,
  ROUNDS_HELP,
  say,
} from "./rounds.ts";
import { draw } from "./table.ts";

/** Number of measured windows. The result of a run is the median of all windows. */
const WINDOWS = size(7, 1);

/** Duration of one measured window, in milliseconds. */
const WINDOW_MS = size(60, 1);
/** Duration of the warm-up before the first window, in milliseconds. */
const WARM_MS = size(300, 1);

/** The npm package of msgpackr, in the version that `RECORD.md` reports. */
const MSGPACKR = "msgpackr@2.1.3";

const HELP = `Compares the codec of terms with msgpackr and JSON, on Deno and on Bun.

Usage: deno run -A bench/peers/codec.ts [options]

  --rounds <number>  how often each is run (default 5)
  --only <samples>   some samples only, with commas between: small, event
${ROUNDS_HELP}

msgpackr is fetched from the npm registry into a temporary folder.
`;

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
  Firn() {
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
    const { Packr }: Msgpackr = createRequire(pathToFileURL(`${process.argv[4]}/package.json`))(
      "msgpackr",
    );
    const packr = new Packr({ structures: [] });
    return {
      encode: (term) => packr.pack(term),
      decode: (bytes) => packr.unpack(bytes),
      trip: (term) => packr.unpack(packr.pack(term)),
      bytes: (term) => packr.pack(term),
    };
  },
  JSON() {
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

/** Keeps results, so that the compiler cannot remove their computation. */
let sink: unknown;

/** Measures one contender with one sample, in this process. */
function measure(contender: string, sample: string): void {
  const codec = CONTENDERS[contender]!();
  const term = SAMPLES[sample];
  for (let i = 0; i < 3; i++) sink = codec.trip(term);
  if (JSON.stringify(sink) !== JSON.stringify(term)) throw new Error(`${contender} is wrong`);
  const bytes = codec.bytes(term).slice();
  report("round trip", rate(() => void (sink = codec.trip(term))));
  report("encode", rate(() => codec.encode(term)));
  report("decode", rate(() => void (sink = codec.decode(bytes))));
  report("bytes", bytes.length);
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

/** A contender on one runtime. */
interface Peer extends Contender {
  readonly base: string;
  readonly line: readonly string[];
}

async function main(): Promise<void> {
  const wanted = readWanted("codec", HELP, Object.keys(SAMPLES));
  const folder = temporaryFolder("codec");
  const has = install(folder, [MSGPACKR]).length > 0;
  if (!has) say(`${MSGPACKR} is not installed: it is left out.`);
  const runtimes = [
    { name: "Deno", version: version(deno, "--version"), line: [deno, "run", "-A", "--no-check"] },
    { name: "Bun", version: version(bun, "--version"), line: [bun] },
  ].filter(({ version }) => version !== undefined);
  const peers = runtimes.flatMap(({ name, version, line }) =>
    Object.keys(CONTENDERS).filter((who) => has || who !== "msgpackr").map((who): Peer => ({
      name: `${who} ${name}`,
      title: `${who === "msgpackr" ? MSGPACKR : who} on ${name} ${version}`,
      base: `Firn ${name}`,
      line: [...line, path("codec.ts"), who],
    }))
  );
  const rounds = { ...wanted, rounds: size(wanted.rounds, 1) };
  const lines: string[][] = [];
  for (const sample of rounds.runs) {
    const runs = { ...rounds, runs: [sample] };
    const results = await makeRounds(peers, runs, () => true, ({ line }) => {
      return runProgram([...line, sample, folder]);
    });
    for (const column of COLUMNS) {
      const cells = peers.map((peer) => {
        const base = peers.find(({ name }) => name === peer.base);
        const format = (value: number): string =>
          Math.round(column === "bytes" ? value : value / 1000).toLocaleString("en");
        const values = results.get(peer)!.get(column);
        return cellOf(values, base && results.get(base)!.get(column), format);
      });
      lines.push([sample, column === "bytes" ? column : `${column}, k/s`, ...cells]);
    }
  }
  const text = draw(["", "", ...peers.map(({ name }) => name)], lines);
  const note = `In brackets the ratio to Firn's figure on the same runtime.\n${NOISE_RULE}`;
  printResults(rounds.rounds, peers, `${note}\n\n${text}`);
}

const [contender = "", sample = ""] = process.argv.slice(2);
if (contender in CONTENDERS) measure(contender, sample);
else await main();
