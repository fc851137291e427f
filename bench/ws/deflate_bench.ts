/**
 * Question: what does compression cost, by length, without and with context takeover, and how much
 * of it is the creation of an engine for each message?
 *
 * `alone` is a connection without context takeover, `continuing` is one with context takeover, and
 * `made anew` creates an engine for each message, as on runtimes that cannot keep engines.
 *
 * @module
 */
import { Deflator, Inflator, makeOutput } from "../../lib/ws/zlib.ts";
import { bench } from "../kit.ts";

const LENGTHS = [64, 1024, 16 * 1024];

/** Returns distinct events as JSON. */
function events(length: number): Uint8Array {
  let text = "";
  for (let i = 0; text.length < length; i++) {
    text += `{"id":${i * 7919 % 100_003},"kind":"event","by":"user${i % 97}","ok":true},`;
  }
  return new TextEncoder().encode(text.slice(0, length));
}

const output = makeOutput();
const options = { level: 6, memLevel: 8 };
let sink = 0;

for (const length of LENGTHS) {
  const payload = events(length);
  const kept = new Deflator(true, 15, options, output);
  const anew = new Deflator(false, 15, options, output);
  const group = `compress ${length} B`;
  bench(`continuing: ${group}`, { group }, () => {
    sink += kept.compress(payload).length;
  });
  bench(`alone: ${group}`, { group, baseline: true }, () => {
    kept.reset();
    sink += kept.compress(payload).length;
  });
  bench(`made anew: ${group}`, { group }, () => {
    sink += anew.compress(payload).length;
  });
}

for (const length of LENGTHS) {
  const packed = new Deflator(false, 15, options, output).compress(events(length));
  const kept = new Inflator(true, 15, output);
  const anew = new Inflator(false, 15, output);
  const group = `inflate ${length} B`;
  bench(`alone: ${group}`, { group, baseline: true }, () => {
    kept.reset();
    sink += kept.inflate(packed, length).length;
  });
  bench(`made anew: ${group}`, { group }, () => {
    sink += anew.inflate(packed, length).length;
  });
}
