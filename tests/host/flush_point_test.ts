import { assert, assertEquals } from "@std/assert";
import { FlushPoint } from "../../lib/host/flush_point.ts";
import { test } from "../kit/test.ts";

/** A flush point whose turns and clock the test controls. Each flush takes 1 ms. */
class Stage {
  now = 0;
  readonly runs: (() => void)[] = [];
  readonly flushed: number[] = [];
  readonly point: FlushPoint;

  constructor(slices: boolean) {
    this.point = new FlushPoint((run) => this.runs.push(run), slices ? () => this.now : undefined);
  }

  dirty(...ids: readonly number[]): void {
    for (const id of ids) {
      this.point.dirty({
        flush: () => {
          this.flushed.push(id);
          this.now++;
        },
      });
    }
  }
}

const ids = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => from + i);

test("FlushPoint without a clock flushes all streams of a turn at once", () => {
  const stage = new Stage(false);
  stage.dirty(...ids(0, 1000));
  assertEquals(stage.runs.length, 1);
  stage.runs.shift()!();
  assertEquals([stage.flushed, stage.runs.length], [ids(0, 1000), 0]);
});

test("FlushPoint flushes many streams in slices, each stream once and in order", () => {
  const stage = new Stage(true);
  stage.dirty(...ids(0, 1000));
  for (let turns = 0; stage.runs.length > 0; turns++) {
    const [before, { length }] = [stage.now, stage.runs];
    assertEquals(length, 1);
    stage.runs.shift()!();
    assert(stage.now - before <= 36, `${stage.now - before} ms in one turn`);
    assert(turns < 100);
  }
  assertEquals(stage.flushed, ids(0, 1000));
});

test("FlushPoint flushes the streams of the latest turn before those of earlier turns", () => {
  const stage = new Stage(true);
  stage.dirty(...ids(0, 100));
  stage.runs.shift()!();
  const count = stage.flushed.length;
  assert(count < 100);
  const tasks: string[] = [];
  stage.point.task(() => tasks.push("a task of the next turn"));
  stage.dirty(1000, 1001);
  stage.runs.shift()!();
  assertEquals(tasks.length, 1);
  assertEquals(stage.flushed.slice(count, count + 3), [1000, 1001, count]);
  // The streams of earlier turns are flushed in time, however many new streams follow.
  for (let turn = 0; stage.flushed.filter((id) => id < 100).length < 100; turn++) {
    assert(turn < 20, "a stream of an earlier turn is not flushed");
    stage.dirty(...ids(2000 + 100 * turn, 100));
    stage.runs.shift()!();
  }
});
