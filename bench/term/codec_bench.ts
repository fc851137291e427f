/**
 * Question: what do encoding and decoding of a term cost, in a session that knows its shapes,
 * compared with JSON as bytes?
 *
 * `bench/peers/codec.ts` compares the codec with others.
 *
 * @module
 */
import { TermBuffer } from "../../lib/term/buffer.ts";
import { Decoder } from "../../lib/term/decode.ts";
import { Encoder } from "../../lib/term/encode.ts";
import { bench, size } from "../kit.ts";
import { EVENT, SMALL } from "./samples.ts";

const utf8 = new TextEncoder();
const text = new TextDecoder();

const count = size(1000, 10);
const samples: Readonly<Record<string, unknown>> = {
  "a small message": SMALL,
  "an event": EVENT,
  [`${count} integers`]: Array.from({ length: count }, (_, i) => i * 37),
  [`${count} floats`]: Array.from({ length: count }, (_, i) => Math.sqrt(i)),
  [`${count} strings`]: Array.from({ length: count }, (_, i) => `a string, number ${i}`),
  [`${count} rows`]: Array.from({ length: count }, (_, i) => ({ id: i, name: "row", ok: true })),
  [`a dictionary of ${count}`]: Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`key ${i}`, i]),
  ),
  "a text with an emoji": "\u{1f600} " + "hello ".repeat(size(100, 1)),
};

let sink: unknown;
for (const [group, term] of Object.entries(samples)) {
  const encoder = new Encoder();
  const decoder = new Decoder();
  const out = new TermBuffer();
  const encode = (): Uint8Array => {
    encoder.encode(term, out);
    return out.take();
  };
  sink = decoder.decode(encode());
  const bytes = encode();
  const json = utf8.encode(JSON.stringify(term));

  bench(`encode ${group}`, { group: `encode ${group}` }, () => void (sink = encode()));
  bench(`JSON.stringify, to bytes`, { group: `encode ${group}`, baseline: true }, () => {
    sink = utf8.encode(JSON.stringify(term));
  });
  bench(`decode ${group}`, { group: `decode ${group}` }, () => void (sink = decoder.decode(bytes)));
  bench(`JSON.parse, from bytes`, { group: `decode ${group}`, baseline: true }, () => {
    sink = JSON.parse(text.decode(json));
  });
}
void sink;
