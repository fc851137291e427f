/** Tests the encoding of batches for the writing thread, and of their results. */
import { assertEquals } from "@std/assert";
import { columnsOf } from "../../mesher/storage/rows.ts";
import {
  packOutcomes,
  packRows,
  unpackOutcomes,
  unpackRows,
} from "../../mesher/storage/sqlite_pack.ts";
import type { EventOutcome } from "../../mesher/storage/events.ts";
import { test } from "../kit/test.ts";
import { entryWith, realisticEntry } from "./event.ts";

test("unpackRows returns the input of packRows for any text", () => {
  const texts = ["", "plain", "a\0b", "\ud800", "= \x1e\x1f\n\\", "🦊 ж", "\0"];
  const rows = texts.flatMap((text) => [
    columnsOf(entryWith("p", 1_700_000_000_000, {
      message: text,
      environment: text,
      release: null,
      transaction: text,
      tags: { [text]: text },
      extra: { [text]: [text] },
    })),
    columnsOf(realisticEntry("p", 1_700_000_000_001, 7)),
    columnsOf(entryWith("p", 0, { environment: null, release: text })),
  ]);
  assertEquals(unpackRows(packRows(rows)), rows);
});

test("unpackOutcomes returns the input of packOutcomes", () => {
  const stored = [true, false].flatMap((first) =>
    [true, false].map((regressed) => ({
      kind: "stored" as const,
      issueId: "i-1",
      first,
      regressed,
    }))
  );
  const outcomes: EventOutcome[] = [
    ...stored,
    { kind: "duplicate" },
    { kind: "discarded", issueId: "i-2" },
    { kind: "orphan" },
  ];
  assertEquals(unpackOutcomes(packOutcomes(outcomes)), outcomes);
});
