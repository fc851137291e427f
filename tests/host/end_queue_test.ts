import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Clock } from "../../lib/base/clock.ts";
import { EndQueue } from "../../lib/host/end_queue.ts";
import { test } from "../kit/test.ts";

/** A queue whose turns and clock the test controls. Each end takes 0.25 ms to pass on. */
class Stage {
  now = 0;
  readonly turns: (() => void)[] = [];
  readonly timers: (() => void)[] = [];
  readonly passed: number[] = [];
  readonly queue: EndQueue;

  constructor() {
    const clock: Clock = {
      now: () => this.now,
      wall: () => this.now,
      after: (_ms, run) => {
        this.timers.push(run);
        return { cancel() {} };
      },
      every: () => ({ cancel() {} }),
    };
    this.queue = new EndQueue((run) => this.turns.push(run), clock);
  }

  add(id: number, then: () => void = () => {}): void {
    this.queue.add({
      passEnd: () => {
        this.passed.push(id);
        this.now += 0.25;
        then();
      },
    });
  }
}

test("EndQueue passes on a few ends at the end of the turn", () => {
  const stage = new Stage();
  stage.add(1, () => stage.add(2));
  assertEquals([stage.passed, stage.turns.length], [[], 1]);
  stage.turns.shift()!();
  assertEquals([stage.passed, stage.turns.length, stage.timers.length], [[1, 2], 0, 0]);
  stage.add(3);
  stage.turns.shift()!();
  assertEquals(stage.passed, [1, 2, 3]);
});

test("EndQueue passes on many ends in slices, with a timer between the slices", () => {
  const stage = new Stage();
  const ids = Array.from({ length: 1000 }, (_, i) => i);
  for (const id of ids) stage.add(id);
  let run = stage.turns.shift();
  assertEquals(stage.turns.length, 0);
  for (let slices = 0; run !== undefined; slices++, run = stage.timers.shift()) {
    const before = stage.now;
    run();
    assert(stage.now - before <= 6, `${stage.now - before} ms in one slice`);
    assert(slices < 1000);
    assertEquals(stage.turns.length, 0);
  }
  assertEquals(stage.passed, ids);
});

test("EndQueue passes on the remaining ends after a handler has thrown", () => {
  const stage = new Stage();
  stage.add(1, () => {
    throw new Error("requested");
  });
  stage.add(2);
  assertThrows(() => stage.turns.shift()!(), Error, "requested");
  stage.timers.shift()!();
  stage.add(3);
  stage.turns.shift()!();
  assertEquals(stage.passed, [1, 2, 3]);
});
