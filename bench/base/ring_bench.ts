/**
 * Question: above which length is a Ring faster than `push` and `shift` of an array?
 *
 * Each iteration pushes a thousand items and removes a thousand, with `standing` items queued.
 *
 * @module
 */
import { Ring } from "../../lib/base/ring.ts";
import { bench, size } from "../kit.ts";

const CALLS = size(1000, 10);

for (const standing of [1, 100, size(100_000, 1000)]) {
  const group = `${standing} standing, ${CALLS} pushed and shifted`;

  const array: number[] = [];
  for (let i = 0; i < standing; i++) array.push(i);
  bench(`array push, shift (${standing})`, { group, baseline: true }, () => {
    for (let i = 0; i < CALLS; i++) {
      array.push(i);
      array.shift();
    }
  });

  const ring = new Ring<number>();
  for (let i = 0; i < standing; i++) ring.push(i);
  bench(`Ring push, shift (${standing})`, { group }, () => {
    for (let i = 0; i < CALLS; i++) {
      ring.push(i);
      ring.shift();
    }
  });
}
