import { assert, assertEquals, assertThrows } from "@std/assert";
import { HELD_BYTES_MAX, HoldbackQueue } from "../../lib/mesh/holdback_queue.ts";
import { PASSED_BYTES_MAX } from "../../lib/mesh/outbox.ts";
import { test } from "../kit/test.ts";

test("HoldbackQueue holds messages behind a large one to the same receiver, and passes others", () => {
  const holds = new HoldbackQueue();
  const ran: string[] = [];
  const say = (name: string) => () => void ran.push(name);
  assertEquals([holds.count, holds.isHeld(7)], [0, false]);
  const slot = holds.open(7);
  assertEquals([holds.count, holds.isHeld(7), holds.isHeld(8), holds.isHeld("7")], [
    1,
    true,
    false,
    false,
  ]);
  assert(holds.hold(7, 10, say("one")));
  assert(holds.hold(7, 20, say("two")));
  assertEquals([holds.bytes, ran], [30, []]);
  holds.close(slot, say("large"));
  assertEquals(ran, ["large", "one", "two"]);
  assertEquals([holds.count, holds.bytes, holds.isHeld(7)], [0, 0, false]);
});

test("HoldbackQueue keeps the order of large and small messages to one receiver in any order of completion", () => {
  for (const order of [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]) {
    const holds = new HoldbackQueue();
    const ran: string[] = [];
    const say = (name: string) => () => void ran.push(name);
    const slots = [0, 1, 2].map((index) => {
      const slot = holds.open("k");
      holds.hold("k", 1, say(`small ${index}`));
      return slot;
    });
    const whole = new Set<number>();
    for (const index of order) {
      holds.close(slots[index]!, say(`large ${index}`));
      whole.add(index);
      const ready = [0, 1, 2].findIndex((one) => !whole.has(one));
      const count = ready === -1 ? 3 : ready;
      const expected = [0, 1, 2].slice(0, count).flatMap((i) => [`large ${i}`, `small ${i}`]);
      assertEquals(ran, expected);
    }
    assertEquals([holds.count, holds.bytes], [0, 0]);
  }
});

test("HoldbackQueue handles receivers independently", () => {
  const holds = new HoldbackQueue();
  const ran: string[] = [];
  const say = (name: string) => () => void ran.push(name);
  const [a, b] = [holds.open(1), holds.open("1")];
  holds.hold(1, 1, say("behind a"));
  holds.hold("1", 1, say("behind b"));
  holds.close(b, say("b"));
  assertEquals([ran, holds.count], [["b", "behind b"], 1]);
  holds.close(a, say("a"));
  assertEquals([ran, holds.count], [["b", "behind b", "a", "behind a"], 0]);
});

test("HoldbackQueue rejects a message over its limit, summed over all receivers", () => {
  const holds = new HoldbackQueue(100);
  holds.open(1);
  holds.open(2);
  const slot = holds.open(3);
  assert(holds.hold(1, 50, () => {}));
  assert(holds.hold(3, 50, () => {}));
  assertEquals(holds.hold(2, 1, () => {}), false);
  const freed = new HoldbackQueue(100);
  const one = freed.open(1);
  assert(freed.hold(1, 100, () => {}));
  freed.close(one, () => {});
  freed.open(1);
  assert(freed.hold(1, 100, () => {}), "what ran is not counted any more");
  assert(slot.run === undefined);
});

test("HoldbackQueue has room for everything that an outbox may send", () => {
  assert(2 * PASSED_BYTES_MAX <= HELD_BYTES_MAX);
});

test("HoldbackQueue stops when a message that it delivers clears it", () => {
  const holds = new HoldbackQueue();
  const ran: string[] = [];
  const slot = holds.open(1);
  holds.hold(1, 5, () => {
    ran.push("ends");
    holds.clear();
  });
  holds.hold(1, 5, () => void ran.push("never"));
  holds.close(slot, () => void ran.push("large"));
  assertEquals(ran, ["large", "ends"]);
  assertEquals([holds.count, holds.bytes], [0, 0]);
});

test("HoldbackQueue.hold fails an assertion if no message is incomplete", () => {
  assertThrows(() => new HoldbackQueue().hold(1, 1, () => {}));
});
