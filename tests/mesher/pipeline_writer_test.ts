/** Tests the writer with two batches in progress. */
import { assert, assertEquals } from "@std/assert";
import type { MesherEvent } from "../../mesher/domain/event.ts";
import {
  BATCH_EVENTS,
  BATCH_EVENTS_MAX,
  BATCH_MS,
  PACE_MS,
  WRITER,
  WRITES_MAX,
} from "../../mesher/services/writer.ts";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import { StorageError } from "../../mesher/storage/error.ts";
import type { EventOutcome } from "../../mesher/storage/events.ts";
import type { Storage } from "../../mesher/storage/storage.ts";
import type { Pid } from "../../mod.ts";
import { test, until } from "../kit/test.ts";
import { onStage, type Stage } from "./end_to_end_kit.ts";
import { eventWith } from "./event.ts";
import { onSimStage } from "./sim_stage.ts";

/** A started write that the test completes or fails. */
interface Held {
  readonly size: number;
  pass(): Promise<void>;
  fail(error: Error): void;
}

/** Runs `body` with a node whose writes wait until the test completes them. */
async function withHeldWrites(
  body: (stage: Stage, held: Held[], take: (count: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const held: Held[] = [];
  let isOpen = false;
  const real = await openSqlite({ path: ":memory:" });
  const storage: Storage = {
    ...real,
    writeEvents: (batch) =>
      isOpen ? real.writeEvents(batch) : new Promise<readonly EventOutcome[]>((done, fail) => {
        held.push({
          size: batch.length,
          pass: async () => done(await real.writeEvents(batch)),
          fail,
        });
      }),
  };
  await onStage(
    async (stage) => {
      const { intake } = stage.app.mesher;
      const project = (await real.allProjects())[0]!;
      const take = async (count: number): Promise<void> => {
        const events: MesherEvent[] = Array.from({ length: count }, () => eventWith());
        assertEquals((await intake.take(project, events)).kind, "accepted");
      };
      try {
        await body(stage, held, take);
      } finally {
        isOpen = true;
        for (const write of held.splice(0)) await write.pass();
      }
    },
    { ratePerMinute: 1_000_000_000 },
    storage,
  );
}

/** The number of events in two batches: the minimum for a write, and a full one. */
const TWO_BATCHES = BATCH_EVENTS + BATCH_EVENTS_MAX;

/** Starts the writes of two batches. */
async function takeTwo(held: Held[], take: (count: number) => Promise<void>): Promise<void> {
  await take(BATCH_EVENTS);
  await until("one batch is being written", () => held.length === 1);
  await take(BATCH_EVENTS_MAX);
  await until("both batches are being written", () => held.length === WRITES_MAX);
}

test("Writer starts a second write for a full batch, and buffers further events", () =>
  withHeldWrites(async ({ app }, held, take) => {
    const { counters, inbox } = app.mesher;
    await take(BATCH_EVENTS);
    await until("the batch is being written", () => held.length === 1);
    await take(BATCH_EVENTS);
    await until("the next events are grouped", () => inbox.size === 0);
    await new Promise((wake) => setTimeout(wake, 0));
    assertEquals(held.length, 1, "the events are collected for the next batch");
    await take(BATCH_EVENTS_MAX - BATCH_EVENTS);
    await until("the events are enough for a batch", () => held.length === 2);
    for (let i = 0; i < 3; i++) await take(BATCH_EVENTS_MAX);
    await until("the grouped events fill the outbox", () => app.mesher.outbox.room < BATCH_EVENTS);
    assertEquals(held.map(({ size }) => size), [BATCH_EVENTS, BATCH_EVENTS_MAX]);
    for (let i = 0; i < 5; i++) {
      await until(`write ${i} has begun`, () => held.length > i);
      await held[i]!.pass();
    }
    const all = BATCH_EVENTS + 4 * BATCH_EVENTS_MAX;
    await until("all events are stored", () => counters.get("stored") === all);
    assertEquals(app.mesher.outbox.size, 0);
  }));

test("Writer writes a few waiting events as soon as one of its writes ends", () =>
  withHeldWrites(async ({ app }, held, take) => {
    await takeTwo(held, take);
    await take(1);
    await until("the event is grouped", () => app.mesher.inbox.size === 0);
    // This timer starts after the writer's and takes longer. When it fires, the writer's timer has
    // fired without a free slot.
    await new Promise((wake) => setTimeout(wake, BATCH_MS + 20));
    assertEquals(held.length, WRITES_MAX);
    await held[0]!.pass();
    await new Promise((wake) => setTimeout(wake, 0));
    assertEquals(held.length, WRITES_MAX + 1, "it does not wait for another quarter of a second");
    assertEquals(held[2]!.size, 1);
    await Promise.all([held[1]!.pass(), held[2]!.pass()]);
    await until("the event is stored", () => app.mesher.counters.get("stored") === TWO_BATCHES + 1);
  }));

test("Writer retries both batches after one pause if both writes fail", () =>
  withHeldWrites(async ({ app, lines }, held, take) => {
    const { counters } = app.mesher;
    await takeTwo(held, take);
    for (const write of held.splice(0)) write.fail(new StorageError("away", true));
    await until("both batches are written again", () => held.length === WRITES_MAX);
    assertEquals(lines.filter((line) => line.includes("storage failed")).length, 1);
    assertEquals(counters.get("write_retries"), 2);
    for (const write of held.splice(0)) await write.pass();
    await until("all events are stored", () => counters.get("stored") === TWO_BATCHES);
    assertEquals(app.mesher.outbox.size, 0);
  }));

test("Writer starts no write after it has exited, and its unfinished batch is stored once", () =>
  withHeldWrites(async ({ app }, held, take) => {
    const { node, counters, outbox } = app.mesher;
    await take(BATCH_EVENTS);
    await until("the batch is being written", () => held.length === 1);
    const old = node.whereis(WRITER)!;
    node.exit(old as Pid<never>, "kill");
    await until("the successor writes the same batch", () => held.length === 2);
    await take(BATCH_EVENTS);
    await until("the successor writes the next batch", () => held.length === 3);
    await take(BATCH_EVENTS);
    await until("the last batch is grouped", () => app.mesher.inbox.size === 0);
    // The crashed writer's write ends; that writer must not start another.
    await held[0]!.pass();
    await new Promise((wake) => setTimeout(wake, 0));
    assertEquals(held.length, 3);
    assertEquals(outbox.size, 3 * BATCH_EVENTS, "the batch of the crashed writer was released");
    await held[1]!.pass();
    await until("the last batch is being written", () => held.length === 4);
    await Promise.all([held[2]!.pass(), held[3]!.pass()]);
    await until("all events are stored", () => outbox.size === 0);
    assertEquals(counters.get("stored"), 3 * BATCH_EVENTS);
    assertEquals(counters.get("duplicate"), BATCH_EVENTS);
    const { projectId } = app.first!;
    assertEquals(await app.mesher.storage.eventCount(projectId, 0), 3 * BATCH_EVENTS);
  }));

test("Writer collects events for a while after a write has begun, so that batches are large", async () => {
  const [rounds, everyMs] = [100, 5];
  await onSimStage(
    async ({ sim, nodes, take }) => {
      const { counters } = nodes.get("a")!;
      const [before, began] = [counters.get("batches"), sim.now];
      for (let i = 0; i < rounds; i++) {
        await take("a", ...Array.from({ length: BATCH_EVENTS }, () => eventWith()));
        await sim.run(everyMs);
      }
      await sim.until("all are stored", () => counters.get("stored") === rounds * BATCH_EVENTS);
      const batches = counters.get("batches") - before;
      const ms = sim.now - began;
      // A batch is also written when its events have waited for `BATCH_MS`, so `most` includes
      // these batches.
      const most = 2 + ms / PACE_MS + ms / BATCH_MS;
      assert(batches <= most && most < rounds / 2, `${batches} batches in ${ms} ms`);
    },
    1,
    { MESHER_RATE_LIMIT: "1000000000" },
  );
});
