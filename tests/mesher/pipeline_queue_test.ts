/** Tests the queue of events, whose workers may crash. */
import { assert, assertEquals } from "@std/assert";
import { EventQueue } from "../../mesher/pipeline/queue.ts";
import { test } from "../kit/test.ts";

test("EventQueue.take returns events in the order in which they were pushed", () => {
  const queue = new EventQueue<number>(10);
  assert(queue.push([1, 2, 3]));
  const loan = queue.take(2)!;
  assertEquals([loan.items, queue.waiting, queue.size], [[1, 2], 1, 3]);
  queue.settle(loan);
  assertEquals([queue.take(5)!.items, queue.take(5), queue.size], [[3], undefined, 1]);
});

test("EventQueue.push accepts all events or none, and counts events that are taken but not settled", () => {
  const queue = new EventQueue<number>(3);
  assert(queue.push([1, 2]));
  queue.take(1);
  assert(!queue.push([3, 4]));
  assertEquals([queue.size, queue.room], [2, 1]);
  assert(queue.push([3]));
});

test("EventQueue.release puts taken events back in front", () => {
  const queue = new EventQueue<number>(10);
  queue.push([1, 2, 3, 4]);
  const [first, second] = [queue.take(1)!, queue.take(1)!];
  queue.release(second);
  queue.release(second);
  queue.settle(first);
  assertEquals([queue.take(9)!.items, queue.size], [[2, 3, 4], 3]);
});

test("EventQueue.releaseAll puts all taken events back in order", () => {
  const queue = new EventQueue<number>(10);
  queue.push([1, 2, 3]);
  const loans = [queue.take(1)!, queue.take(1)!];
  queue.releaseAll();
  loans.forEach((loan) => queue.settle(loan));
  assertEquals([queue.take(9)!.items, queue.size], [[1, 2, 3], 3]);
});

test("EventQueue keeps the order of events over many batches", () => {
  const queue = new EventQueue<number>(100_000);
  let [pushed, taken] = [0, 0];
  for (let i = 0; i < 3_000; i++) {
    queue.push([pushed++, pushed++, pushed++]);
    const loan = queue.take(i % 2 === 0 ? 2 : 3)!;
    for (const item of loan.items) assertEquals(item, taken++);
    queue.settle(loan);
  }
  assertEquals(queue.size, pushed - taken);
});
