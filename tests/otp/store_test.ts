/** Tests stores, and services that keep their state in one. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CallExitError } from "../../lib/actor/errors.ts";
import { simulate } from "../../lib/simulate.ts";
import { type Service, service } from "../../lib/otp/service.ts";
import { noReply, stopService } from "../../lib/otp/service_definition.ts";
import { sqliteStore } from "../../lib/otp/sqlite_store.ts";
import { memoryStore, StaleStateError, type Store } from "../../lib/otp/store.ts";
import { decodeTerm } from "../../lib/term/decode.ts";
import { encodeTerm } from "../../lib/term/encode.ts";
import { test } from "../kit/test.ts";
import { contract } from "./store_contract.ts";

test("memoryStore saves and removes only if the version matches", () => contract(memoryStore()));

test("sqliteStore saves and removes only if the version matches, and keeps its data in the file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "firn-store-"));
  try {
    const path = join(folder, "state.sqlite");
    await using store = sqliteStore(path);
    await contract(store);
    await store.close();
    assertEquals([...await store.keys!("")], ["b%_"]);
    await using other = sqliteStore(path);
    // Of two concurrent saves by two processes, only one succeeds.
    const saved = await Promise.all(
      [store, other].map((one) => one.save("c", new Uint8Array([1]), 1, undefined)),
    );
    assertEquals(saved.sort(), [false, true]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("sqliteStore resolves each save of a batch with its own result", async () => {
  const broken = sqliteStore("/no/such/folder/state.sqlite");
  await assertRejects(() => Promise.resolve(broken.save("a", new Uint8Array(1), 1, undefined)));
  await using store = sqliteStore(":memory:");
  const saves = Array.from(
    { length: 100 },
    (_, i) => store.save(`k${i % 50}`, new Uint8Array([i]), i + 1, undefined),
  );
  const done = await Promise.all(saves);
  assertEquals(done.map((isDone) => isDone), saves.map((_, i) => i < 50));
});

interface Counter {
  state: { count: number };
  start: [key: string];
  call: { add(by: number): number; get(): number; later(): number; end(): string };
  cast: { add(by: number): void; crash(): void };
}

function counterIn(store: Store, within?: number): Service<Counter> {
  return service<Counter>({
    init: () => ({ count: 0 }),
    call: {
      add: ({ count }, by) => [count + by, { count: count + by }],
      get: (state) => [state.count, state],
      later(state) {
        this.call.reply(state.count);
        return noReply({ count: state.count + 1 });
      },
      end: (state) => ["ended", stopService("normal", { count: state.count + 100 })],
    },
    cast: {
      add: ({ count }, by) => ({ count: count + by }),
      crash: () => {
        throw new Error("crash requested");
      },
    },
    persist: { store, key: (key) => `counter/${key}`, within },
  });
}

test("service with persist stores a change before it replies", async () => {
  const { value } = await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const saves: number[] = [];
    const memory = memoryStore();
    const store: Store = {
      ...memory,
      save: async (key, value, version, previous) => {
        await sim.run(20);
        saves.push((decodeTerm(value) as { count: number }).count);
        return memory.save(key, value, version, previous);
      },
    };
    const counter = counterIn(store);
    const pid = await counter.start(node, "hits");
    assertEquals(await counter.call(pid).get(), 0);
    assertEquals(saves, []);
    assertEquals(await counter.call(pid).add(2), 2);
    assertEquals(saves, [2]);
    counter.cast(pid).add(3);
    assertEquals(await counter.call(pid).get(), 5);
    assertEquals(await counter.call(pid).later(), 5);
    assertEquals(await counter.call(pid).get(), 6);
    assertEquals(saves, [2, 5, 6]);
    const lost = assertRejects(() => counter.call(pid).add(1), CallExitError);
    node.exit(pid, "kill");
    await lost;
    const again = await counter.start(node, "hits");
    const found = await counter.call(again).get();
    assert(found === 6 || found === 7);
    assertEquals(await counter.call(again).end(), "ended");
    return [found, await counter.call(await counter.start(node, "hits")).get()];
  });
  assertEquals(value[1], value[0]! + 100);
});

test("service with persist rejects a call whose change would overwrite a newer state", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const store = memoryStore();
    const counter = counterIn(store);
    const old = await counter.start(node, "hits");
    assertEquals(await counter.call(old).add(1), 1);
    const young = await counter.start(node, "hits");
    assertEquals(await counter.call(young).add(1), 2);
    const error = await assertRejects(() => counter.call(old).add(10), CallExitError);
    assert((error as CallExitError).reason instanceof StaleStateError);
    assertEquals(node.isAlive(old), false);
    assertEquals(await counter.call(young).get(), 2);
    assertEquals(await counter.call(await counter.start(node, "hits")).get(), 2);
  });
});

test("service with persist.within stores a change within that time", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const store = memoryStore();
    const counter = counterIn(store, 1_000);
    const stored = async (): Promise<unknown> => {
      const found = await store.load("counter/hits");
      return found && (decodeTerm(found.value) as { count: number }).count;
    };
    const pid = await counter.start(node, "hits");
    for (let i = 0; i < 5; i++) await counter.call(pid).add(1);
    assertEquals(await stored(), undefined);
    await sim.run(1_001);
    assertEquals(await stored(), 5);
    await counter.call(pid).add(1);
    await counter.stop(pid);
    assertEquals(await stored(), 6);
    const again = await counter.start(node, "hits");
    await counter.call(again).add(1);
    counter.cast(again).crash();
    await sim.until("the service has ended", () => !node.isAlive(again));
    assertEquals(await stored(), 7);
    const last = await counter.start(node, "hits");
    await counter.call(last).add(1);
    await sim.stop("a");
    assertEquals(await stored(), 8);
  });
});

test("service with persist: the start rejects with the error of a store that cannot load", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const store = { ...memoryStore(), load: () => Promise.reject(new RangeError("no database")) };
    await assertRejects(() => counterIn(store).start(node, "hits"), RangeError, "no database");
  });
});

test("service with persist accepts thenables from a store, and checks what the store returns", async () => {
  await simulate({ seed: 1 }, async (sim) => {
    const node = await sim.start("a");
    const later = <T>(value: () => T): Promise<T> =>
      ({ then: (done: (value: T) => void) => void sim.run(10).then(() => done(value())) }) as never;
    const memory = memoryStore();
    let saves = 0;
    // A query of some database clients is a thenable, and a row that is not found is null.
    const counter = counterIn({
      ...memory,
      load: (key) => later(() => memory.load(key) ?? null) as never,
      save: (...all) => later(() => (saves++, memory.save(...all) as boolean)),
    });
    const pid = await counter.start(node, "hits");
    assertEquals([await counter.call(pid).add(2), saves], [2, 1]);
    await counter.stop(pid);
    assertEquals(await counter.call(await counter.start(node, "hits")).get(), 2);
    for (const saved of [undefined, { rowCount: 0 }, 1]) {
      const careless = counterIn({ ...memoryStore(), save: () => saved as never });
      const pid = await careless.start(node, "hits");
      const error = await assertRejects(() => careless.call(pid).add(1), CallExitError);
      const { name, message } = (error as CallExitError).reason as Error;
      assertEquals([name, message.includes("save of the store returned")], [
        "BadReturnError",
        true,
      ]);
    }
    const value = encodeTerm({ count: 1 });
    for (const stored of [7, {}, { value }, { value, version: "7" }, { value: "7", version: 7 }]) {
      const careless = counterIn({ ...memoryStore(), load: () => stored as never });
      await assertRejects(() => careless.start(node, "hits"), Error, "load of the store returned");
    }
  });
});
