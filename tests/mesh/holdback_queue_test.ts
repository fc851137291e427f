import { assert, assertEquals, assertThrows } from "@std/assert";
import { HELD_BYTES_MAX, HoldbackQueue } from "../../lib/mesh/holdback_queue.ts";
import { PASSED_BYTES_MAX } from "../../lib/mesh/outbox.ts";
import { test } from "../kit/test.ts";

test("HoldbackQueue holds only messages that follow a large message to the same receiver", () => {
  const queue = new HoldbackQueue();
  const ran: string[] = [];
  const run = (name: string) => () => void ran.push(name);
  assertEquals([queue.count, queue.isHeld(7)], [0, false]);
  const slot = queue.open(7);
  assertEquals([queue.count, queue.isHeld(7), queue.isHeld(8), queue.isHeld("7")], [
    1,
    true,
    false,
    false,
  ]);
  assert(queue.hold(7, 10, run("one")));
  assert(queue.hold(7, 20, run("two")));
  assertEquals([queue.bytes, ran], [30, []]);
  queue.close(slot, run("large"));
  assertEquals(ran, ["large", "one", "two"]);
  assertEquals([queue.count, queue.bytes, queue.isHeld(7)], [0, 0, false]);
});

test("HoldbackQueue keeps the order of messages to a receiver, in whatever order large messages are completed", () => {
  for (const order of [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]) {
    const queue = new HoldbackQueue();
    const ran: string[] = [];
    const run = (name: string) => () => void ran.push(name);
    const slots = [0, 1, 2].map((index) => {
      const slot = queue.open("k");
      queue.hold("k", 1, run(`small ${index}`));
      return slot;
    });
    const whole = new Set<number>();
    for (const index of order) {
      queue.close(slots[index]!, run(`large ${index}`));
      whole.add(index);
      const ready = [0, 1, 2].findIndex((one) => !whole.has(one));
      const count = ready === -1 ? 3 : ready;
      const expected = [0, 1, 2].slice(0, count).flatMap((i) => [`large ${i}`, `small ${i}`]);
      assertEquals(ran, expected);
    }
    assertEquals([queue.count, queue.bytes], [0, 0]);
  }
});

test("HoldbackQueue handles receivers independently", () => {
  const queue = new HoldbackQueue();
  const ran: string[] = [];
  const run = (name: string) => () => void ran.push(name);
  const [a, b] = [queue.open(1), queue.open("1")];
  queue.hold(1, 1, run("behind a"));
  queue.hold("1", 1, run("behind b"));
  queue.close(b, run("b"));
  assertEquals([ran, queue.count], [["b", "behind b"], 1]);
  queue.close(a, run("a"));
  assertEquals([ran, queue.count], [["b", "behind b", "a", "behind a"], 0]);
});

test("HoldbackQueue rejects a message if the held bytes for all receivers exceed the limit", () => {
  const queue = new HoldbackQueue(100);
  queue.open(1);
  queue.open(2);
  const slot = queue.open(3);
  assert(queue.hold(1, 50, () => {}));
  assert(queue.hold(3, 50, () => {}));
  assertEquals(queue.hold(2, 1, () => {}), false);
  const freed = new HoldbackQueue(100);
  const one = freed.open(1);
  assert(freed.hold(1, 100, () => {}));
  freed.close(one, () => {});
  freed.open(1);
  assert(freed.hold(1, 100, () => {}), "delivered messages are not counted");
  assert(slot.run === undefined);
});

test("HoldbackQueue has room for all messages that an outbox may send past a large message", () => {
  assert(2 * PASSED_BYTES_MAX <= HELD_BYTES_MAX);
});

test("HoldbackQueue stops delivering when a delivered message clears the queue", () => {
  const queue = new HoldbackQueue();
  const ran: string[] = [];
  const slot = queue.open(1);
  queue.hold(1, 5, () => {
    ran.push("ends");
    queue.clear();
  });
  queue.hold(1, 5, () => void ran.push("never"));
  queue.close(slot, () => void ran.push("large"));
  assertEquals(ran, ["large", "ends"]);
  assertEquals([queue.count, queue.bytes], [0, 0]);
});

test("HoldbackQueue.hold fails an assertion if no message is incomplete", () => {
  assertThrows(() => new HoldbackQueue().hold(1, 1, () => {}));
});
