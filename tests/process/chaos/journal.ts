/**
 * The journal of one life of a node: a file with a JSON value a line, written before anything else happens,
 * so that it has survived when the process is killed.
 */
import { openSync, readFileSync, writeSync } from "node:fs";
import type { Fact } from "../../sim/checkers/checker.ts";

/** What is in it: the facts, and what a person wants to know when something went wrong. */
export type Entry = { at: number } & (Fact | Remark);

/** Not for the checkers. */
export type Remark =
  | { kind: "met"; node: string }
  | { kind: "lost"; node: string; reason: string }
  | { kind: "log"; level: string; line: string };

/** Opens a journal, and gives what writes in it. */
export function openJournal(file: string): (fact: Fact | Remark) => void {
  const opened = openSync(file, "a");
  return (fact) => void writeSync(opened, JSON.stringify({ at: Date.now(), ...fact }) + "\n");
}

/** What is in a journal. Of a life that was killed while it wrote, the last line may be a piece. */
export function readJournal(file: string): Entry[] {
  const lines = readFileSync(file, "utf8").split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line));
}
