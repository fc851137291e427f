/**
 * Tests which events belong to one issue, for each of the pairs: from the JSON that clients send to
 * the fingerprint.
 */
import { assert, assertEquals } from "@std/assert";
import { basisOf, groupingOf } from "../../mesher/domain/fingerprint.ts";
import { newId } from "../../mesher/domain/id.ts";
import { eventFromSentry } from "../../mesher/domain/sentry.ts";
import type { MesherEvent } from "../../mesher/domain/event.ts";
import { test } from "../kit/test.ts";
import { MORE_PAIRS } from "./grouping_more_pairs.ts";
import { PAIRS } from "./grouping_pairs.ts";

function eventOf(input: unknown): MesherEvent {
  const valid = eventFromSentry(input, { now: Date.now(), newId: () => newId() });
  assert(valid.ok);
  return valid.event;
}

test("groupingOf groups errors that have the same cause, and separates others", () => {
  assert(PAIRS.length >= 60, `${PAIRS.length} pairs`);
  const wrong = [...PAIRS, ...MORE_PAIRS].filter(({ a, b, isSame }) =>
    (groupingOf(eventOf(a)).fingerprint === groupingOf(eventOf(b)).fingerprint) !== isSame
  );
  const words = wrong.map(({ name, a, b }) =>
    `${name}: ${basisOf(eventOf(a))} / ${basisOf(eventOf(b))}`
  );
  assertEquals(words, []);
});

test("groupingOf uses the function as the title of a crash whose type is synthetic", () => {
  const event = eventOf({
    exception: {
      values: [{
        type: "SIGSEGV",
        value: "Segfault",
        mechanism: { type: "signalhandler", synthetic: true },
        stacktrace: { frames: [{ function: "main" }, { function: "crash_here" }] },
      }],
    },
  });
  const { title, culprit } = groupingOf(event);
  assertEquals([title, culprit], ["crash_here", "crash_here"]);
});

test("groupingOf titles a thrown value of JavaScript with the value, and never with a `?`", () => {
  const title = (platform: string, name: string): string =>
    groupingOf(eventOf({
      platform,
      exception: {
        values: [{
          ...{ type: "Error", value: "no key", mechanism: { synthetic: true } },
          stacktrace: { frames: [{ function: name }] },
        }],
      },
    })).title;
  assertEquals(title("node", "onClick"), "Error: no key");
  assertEquals(title("native", "?"), "Error: no key");
  assertEquals(title("native", "crash_here"), "crash_here");
});
