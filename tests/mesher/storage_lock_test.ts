/**
 * Tests `SharedLock`, which runs tasks in order of arrival: shared tasks concurrently, an exclusive
 * one alone.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { SharedLock } from "../../mesher/storage/shared_lock.ts";
import { test } from "../kit/test.ts";

/** Records which operations have begun, and ends each on request. */
class Log {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, () => void>();

  /** Returns an operation that lasts until it is ended. */
  lasting(name: string): () => Promise<string> {
    return () => {
      this.begun.push(name);
      return new Promise((end) => this.#ends.set(name, () => end(name)));
    };
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)!();
    // Waits until all operations that can begin have begun.
    for (let i = 0; i < 20; i++) await Promise.resolve();
  }
}

test("SharedLock runs shared tasks together, and an exclusive task alone", async () => {
  const lock = new SharedLock();
  const log = new Log();
  const all = [
    lock.shared(log.lasting("a")),
    lock.shared(log.lasting("b")),
    lock.exclusive(log.lasting("C")),
    lock.shared(log.lasting("d")),
    lock.shared(log.lasting("e")),
    lock.exclusive(log.lasting("F")),
    lock.exclusive(log.lasting("G")),
  ];
  await Promise.resolve();
  assertEquals(log.begun, ["a", "b"]);
  await log.end("b");
  assertEquals(log.begun, ["a", "b"], "C also waits for a");
  await log.end("a");
  assertEquals(log.begun, ["a", "b", "C"], "d arrived after C");
  await log.end("C");
  assertEquals(log.begun, ["a", "b", "C", "d", "e"]);
  await log.end("d");
  await log.end("e");
  assertEquals(log.begun.at(-1), "F");
  await log.end("F");
  assertEquals(log.begun.at(-1), "G");
  await log.end("G");
  assertEquals(await Promise.all(all), ["a", "b", "C", "d", "e", "F", "G"]);
});

test("SharedLock continues after a task that failed", async () => {
  const lock = new SharedLock();
  const fails = (why: string) => (): never => {
    throw new Error(why);
  };
  const [a, b] = [lock.shared(fails("shared")), lock.exclusive(fails("exclusive"))];
  const [c, d] = [lock.shared(() => "c"), lock.exclusive(() => "d")];
  await assertRejects(() => a, Error, "shared");
  await assertRejects(() => b, Error, "exclusive");
  assertEquals([await c, await d], ["c", "d"]);
});
