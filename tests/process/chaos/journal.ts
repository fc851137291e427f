/**
 * The journal of one incarnation of a node: a file with one JSON value per line. Each entry is
 * written before anything else happens, so that it is kept if the process is killed.
 */
import { openSync, readFileSync, writeSync } from "node:fs";
import type { Fact } from "../../sim/checkers/checker.ts";

/** An entry: a fact, or a remark that helps to find the cause of a failure. */
export type Entry = { at: number } & (Fact | Remark);

/** An entry that the checkers ignore. */
export type Remark =
  | { kind: "met"; node: string }
  | { kind: "lost"; node: string; reason: string }
  | { kind: "log"; level: string; line: string };

/** Opens a journal. Returns a function that appends to it. */
export function openJournal(file: string): (fact: Fact | Remark) => void {
  const opened = openSync(file, "a");
  return (fact) => void writeSync(opened, JSON.stringify({ at: Date.now(), ...fact }) + "\n");
}

/** Reads a journal. If the process was killed during a write, the last line may be incomplete. */
export function readJournal(file: string): Entry[] {
  const lines = readFileSync(file, "utf8").split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line));
}
