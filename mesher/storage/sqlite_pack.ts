/**
 * Encodes batches and their results as one text each for transfer between threads: runtimes copy
 * structured data piece by piece, which takes three times as long. The parts are separated by NUL,
 * which no column contains (`json.ts`). Deterministic.
 *
 * ```
 * rows       id NUL projectId NUL … receivedAt NUL id NUL …   always in the same order
 * null       an empty text; other values of nullable columns are prefixed with "="
 * outcomes   orphan: o · duplicate: d · discarded: x<issue id> · stored: s<first><regressed><issue id>
 * ```
 *
 * @module
 */
import { assert } from "../domain/assert.ts";
import type { EventColumns } from "./rows.ts";
import type { EventOutcome } from "./events.ts";

const NUL = "\0";
/** Number of columns of an event, each of which is one part of the text. */
const COLUMNS = 15;

/** Encodes rows as a text. */
export function packRows(rows: readonly EventColumns[]): string {
  // Plain concatenation is fastest: the engine copies the pieces once, when the text is sent.
  let text = "";
  for (const row of rows) {
    if (text !== "") text += NUL;
    text += row.id + NUL + row.projectId + NUL + row.fingerprint + NUL + row.level + NUL +
      row.title + NUL + row.culprit + NUL + row.message + NUL + packOptional(row.environment) +
      NUL + packOptional(row.release) + NUL + row.tags + NUL + row.payload + NUL + row.searched +
      NUL + row.marks + NUL + row.eventAt + NUL + row.receivedAt;
  }
  return text;
}

/** Decodes rows from a text. */
export function unpackRows(text: string): EventColumns[] {
  const parts = text.split(NUL);
  assert(parts.length % COLUMNS === 0, `${parts.length} columns`);
  const rows: EventColumns[] = [];
  for (let at = 0; at < parts.length; at += COLUMNS) {
    rows.push({
      id: parts[at]!,
      projectId: parts[at + 1]!,
      fingerprint: parts[at + 2]!,
      level: parts[at + 3]!,
      title: parts[at + 4]!,
      culprit: parts[at + 5]!,
      message: parts[at + 6]!,
      environment: unpackOptional(parts[at + 7]!),
      release: unpackOptional(parts[at + 8]!),
      tags: parts[at + 9]!,
      payload: parts[at + 10]!,
      searched: parts[at + 11]!,
      marks: parts[at + 12]!,
      eventAt: Number(parts[at + 13]!),
      receivedAt: Number(parts[at + 14]!),
    });
  }
  return rows;
}

function packOptional(text: string | null): string {
  return text === null ? "" : "=" + text;
}

function unpackOptional(text: string): string | null {
  return text === "" ? null : text.slice(1);
}

/** Encodes results of events as a text. */
export function packOutcomes(outcomes: readonly EventOutcome[]): string {
  return outcomes.map((outcome) => {
    switch (outcome.kind) {
      case "stored":
        return `s${outcome.first ? 1 : 0}${outcome.regressed ? 1 : 0}${outcome.issueId}`;
      case "discarded":
        return `x${outcome.issueId}`;
      case "duplicate":
        return "d";
      case "orphan":
        return "o";
    }
  }).join(NUL);
}

/** Decodes results of events from a text. */
export function unpackOutcomes(text: string): EventOutcome[] {
  return text.split(NUL).map((part): EventOutcome => {
    switch (part[0]) {
      case "s": {
        const [first, regressed] = [part[1] === "1", part[2] === "1"];
        return { kind: "stored", issueId: part.slice(3), first, regressed };
      }
      case "x":
        return { kind: "discarded", issueId: part.slice(1) };
      case "d":
        return { kind: "duplicate" };
      default:
        return { kind: "orphan" };
    }
  });
}
