import { assert, assertEquals } from "@std/assert";
import { Mailbox } from "../../lib/actor/mailbox.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { heapBytes, untilHeapReleased } from "../kit/heap.ts";
import { test } from "../kit/test.ts";

for (const seed of [1, 2, 3]) {
  test(`Mailbox behaves like an array for random operations with seed ${seed}`, () => {
    const random = new SeededRandom(seed);
    const mailbox = new Mailbox();
    let model: number[] = [];
    for (let step = 0; step < 30_000; step++) {
      // Alternates long phases of growth and shrinking, so that the ring grows, wraps, empties and
      // is released.
      const climbs = step % 3000 < 1500;
      const dice = random.next();
      const digit = random.below(12);
      if (dice < (climbs ? 0.7 : 0.2)) {
        mailbox.push(step);
        model.push(step);
      } else if (dice < 0.85) {
        if (model.length > 0) assertEquals(mailbox.shift(), model.shift());
      } else if (dice < 0.98) {
        const at = model.findIndex((message) => message % 10 === digit);
        const taken = mailbox.take((message: number) => message % 10 === digit);
        assertEquals(taken?.message, at < 0 ? undefined : model.splice(at, 1)[0]);
      } else if (dice < 0.995) {
        mailbox.discard((message) => (message as number) % 10 === digit);
        model = model.filter((message) => message % 10 !== digit);
      } else if (digit === 0) {
        mailbox.clear();
        model = [];
      }
      assertEquals(mailbox.length, model.length);
      if (step % 100 === 0) assertEquals(mailbox.peek(), model);
    }
    assertEquals(mailbox.peek(), model);
  });
}

test("Mailbox stores falsy messages", () => {
  const mailbox = new Mailbox();
  const messages = [0, "", false, null, undefined, NaN];
  for (const message of messages) mailbox.push(message);
  assertEquals(mailbox.take((message) => message === undefined), { message: undefined });
  assertEquals(Array.from({ length: 5 }, () => mailbox.shift()), [0, "", false, null, NaN]);
});

test("Mailbox.take changes nothing if no message matches or the predicate throws", () => {
  const mailbox = new Mailbox();
  for (let i = 0; i < 6; i++) mailbox.push(i);
  mailbox.shift();
  assertEquals(mailbox.take(() => false), undefined);
  let thrown: unknown;
  try {
    mailbox.take((message: number) => {
      if (message === 3) throw new Error("no");
      return false;
    });
  } catch (error) {
    thrown = error;
  }
  assertEquals([(thrown as Error).message, mailbox.peek()], ["no", [1, 2, 3, 4, 5]]);
});

test("Mailbox.take allows its predicate to change the mailbox", () => {
  const mailbox = new Mailbox();
  for (let i = 0; i < 4; i++) mailbox.push(i);
  const taken = mailbox.take((message: number) => {
    if (mailbox.length < 20) mailbox.push(100 + message);
    return message === 3;
  });
  assertEquals([taken, mailbox.peek()], [{ message: 3 }, [0, 1, 2, 100, 101, 102, 103]]);
  assertEquals(mailbox.take(() => mailbox.clear() === undefined), undefined);
  assertEquals([mailbox.length, mailbox.peek()], [0, []]);
  mailbox.push("new");
  assertEquals(mailbox.peek(), ["new"]);
});

test("Mailbox keeps no reference to removed messages", () => {
  // The test inspects the slots of the ring, because a program cannot force a garbage collection.
  const mailbox = new Mailbox();
  const held = (): number => {
    mailbox.length += 4;
    const all = mailbox.peek().filter((item) => item !== undefined).length;
    mailbox.length -= 4;
    return all;
  };
  for (let i = 0; i < 4; i++) mailbox.push({ i });
  mailbox.shift();
  mailbox.take((message: { i: number }) => message.i === 2);
  mailbox.discard((message) => (message as { i: number }).i === 3);
  mailbox.shift();
  assertEquals([mailbox.length, held()], [0, 0]);
});

test("Mailbox keeps a small buffer after many messages were removed", async () => {
  const fillAndEmpty = (mailbox: Mailbox, count: number): void => {
    for (let i = 0; i < count; i++) mailbox.push(i);
    while (mailbox.length > 0) mailbox.shift();
  };
  fillAndEmpty(new Mailbox(), 1000);
  const before = heapBytes();
  const mailboxes = Array.from({ length: 20 }, () => new Mailbox());
  for (const mailbox of mailboxes) fillAndEmpty(mailbox, 50_000);
  await untilHeapReleased(before, 1_000_000);
  assertEquals(mailboxes.length, 20);
});

test("Mailbox.shift stays fast with 200,000 messages in the mailbox", () => {
  const mailbox = new Mailbox();
  const began = performance.now();
  for (let i = 0; i < 200_000; i++) mailbox.push(i);
  for (let i = 0; i < 200_000; i++) assert(mailbox.shift() === i);
  assert(performance.now() - began < 2000);
});
