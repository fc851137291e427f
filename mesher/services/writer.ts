/**
 * Stores the events in the outbox in batches. A write begins when 50 events wait, or when the first
 * of them has waited 250 ms, and takes up to 500 events. While a batch is being written, and for 40
 * ms after it was begun, further events are collected, because few large batches cost less than many
 * small ones: an event in a batch of 50 costs PostgreSQL nearly twice as much as one in a batch of
 * 500. When 500 events wait, a second batch starts at once, so that it is prepared while the database
 * works on the first. Events that are being stored stay in the outbox, as borrowed.
 *
 *     idle ──50 wait · 250 ms──▶ writing ──stored, 40 ms──▶ idle · writing the next batch
 *                                   │ the database is unavailable
 *                                   ▼
 *                                pausing ──the pause is over──▶ writing the same batch again
 *
 * A batch that the database rejects permanently is written event by event, so that one bad event
 * does not affect the others. No other event is ever dropped: when the outbox is full, ingest
 * answers 503.
 *
 * @module
 */
import { type Pid, type Service, service } from "@firn/firn";
import type { Parts } from "../parts.ts";
import type { Outgoing } from "../pipeline/accepted.ts";
import type { Loan } from "../pipeline/queue.ts";
import { StorageError } from "../storage/error.ts";
import type { EventOutcome } from "../storage/events.ts";
import { ANNOUNCER, announcer } from "./announcer.ts";

/** The service's name on each node. */
export const WRITER = "storage_writer";
/** Number of waiting events at which a write begins. */
export const BATCH_EVENTS = 50;
/** Maximum time that fewer than `BATCH_EVENTS` events wait, in milliseconds. */
export const BATCH_MS = 250;
/** Minimum time between the starts of two writes that are not full, in milliseconds. */
export const PACE_MS = 40;
/** Maximum number of events in a write. */
export const BATCH_EVENTS_MAX = 500;
/** Maximum number of concurrent batches. */
export const WRITES_MAX = 2;
/** Pauses before the same batch is tried again, in milliseconds. The last pause is repeated. */
export const RETRY_MS: readonly number[] = [100, 500, 1_000, 2_000, 5_000];

/** A message of the service to itself. */
export type WriterWake = "full" | "late" | "paced" | "again";

/** The state of the writer. */
export interface WriterState {
  readonly parts: Parts;
  readonly me: Pid<WriterWake>;
  /** Aborted when the service has exited. Its successor then stores the events. */
  readonly signal: AbortSignal;
  /** Whether a wake-up message is queued because many events wait. */
  isWoken: boolean;
  /** Whether the timer of the waiting events runs. */
  isTimed: boolean;
  /** Whether the waiting events must be written now, even if they are few. */
  isLate: boolean;
  /** Whether less than `PACE_MS` has passed since a write began. */
  isPaced: boolean;
  /** Number of batches in progress. */
  writes: number;
  /** Number of consecutive failures. */
  failures: number;
  /** Whether writes are paused after a failure. */
  isPausing: boolean;
  /** Batches that must be written again. */
  readonly failed: Loan<Outgoing>[];
}

/** The protocol of the writer. */
export interface Writer {
  state: WriterState;
  start: [parts: Parts];
  info: WriterWake;
}

/** The service that stores the events of a node's outbox in batches. */
export const writer: Service<Writer> = service({
  init(parts) {
    const { node, outbox } = parts;
    const me = this.self.pid;
    const state: WriterState = {
      parts,
      me,
      signal: this.self.signal,
      isWoken: false,
      isTimed: false,
      isLate: false,
      isPaced: false,
      writes: 0,
      failures: 0,
      isPausing: false,
      failed: [],
    };
    outbox.wake = () => {
      if (!state.isWoken && isDue(state)) {
        state.isWoken = true;
        node.send(me, "full");
      } else if (!state.isTimed) {
        state.isTimed = true;
        node.sendAfter(me, "late", BATCH_MS);
      }
    };
    outbox.releaseAll();
    // The predecessor may have received the wake-up for the waiting events, but exited before it
    // had borrowed them.
    if (outbox.waiting > 0) outbox.wake();
    return state;
  },
  info(state, message) {
    if (message === "full") state.isWoken = false;
    if (message === "late") {
      state.isTimed = false;
      state.isLate = true;
    }
    if (message === "paced") state.isPaced = false;
    if (message === "again") state.isPausing = false;
    pump(state);
    return state;
  },
});

/** Starts the writes that may start now. */
function pump(state: WriterState): void {
  if (state.signal.aborted) return;
  const { outbox } = state.parts;
  while (!state.isPausing && state.writes < WRITES_MAX) {
    const loan = state.failed.shift() ?? (isDue(state) ? taken(state) : undefined);
    if (loan === undefined) break;
    state.writes++;
    store(state, loan);
  }
  if (outbox.waiting > 0 && !state.isPausing) outbox.wake?.();
}

/**
 * Takes as many events as fit into a batch. The waiting time of the remaining events starts again.
 */
function taken(state: WriterState): Loan<Outgoing> | undefined {
  state.isLate = false;
  if (!state.isPaced) {
    state.isPaced = true;
    state.parts.node.sendAfter(state.me, "paced", PACE_MS);
  }
  return state.parts.outbox.take(BATCH_EVENTS_MAX);
}

/** Returns whether the waiting events must be written now. */
function isDue({ parts: { outbox }, writes, isLate, isPaced }: WriterState): boolean {
  if (writes >= WRITES_MAX) return false;
  const most = writes > 0 || isPaced;
  return isLate || outbox.waiting >= (most ? BATCH_EVENTS_MAX : BATCH_EVENTS);
}

/** Writes a batch, and then starts the next write. Never rejects. */
async function store(state: WriterState, loan: Loan<Outgoing>): Promise<void> {
  const { outbox, inbox } = state.parts;
  const outcomes = await write(state, loan);
  state.writes--;
  if (outcomes === undefined) state.failed.push(loan);
  else {
    // If the service was restarted meanwhile, its successor has taken the batch back, and announces
    // the events when it finds them stored.
    if (outbox.settle(loan)) { for (const { stored } of loan.items) stored?.(); }
    if (inbox.waiting > 0) inbox.wake?.();
    tell(state.parts, loan, outcomes);
  }
  pump(state);
}

/** Writes a batch. Resolves with undefined if the batch must be written again after a pause. */
async function write(
  state: WriterState,
  loan: Loan<Outgoing>,
): Promise<readonly (EventOutcome | undefined)[] | undefined> {
  const { storage, counters, log } = state.parts;
  try {
    const outcomes = await storage.writeEvents(loan.items.map(({ row }) => row));
    if (state.failures > 0) log("info", "storage is back");
    state.failures = 0;
    counters.add("batches");
    return outcomes;
  } catch (error) {
    if (error instanceof StorageError && !error.retry) return await writeSingly(state, loan);
    pause(state, error);
    return undefined;
  }
}

/** Writes the events of a batch one by one, because one of them is invalid. */
async function writeSingly(
  state: WriterState,
  loan: Loan<Outgoing>,
): Promise<readonly (EventOutcome | undefined)[] | undefined> {
  const { storage, counters, log } = state.parts;
  const outcomes: (EventOutcome | undefined)[] = [];
  for (const { row } of loan.items) {
    try {
      outcomes.push((await storage.writeEvents([row]))[0]);
    } catch (error) {
      if (!(error instanceof StorageError) || error.retry) {
        // The events before this one are stored. When the batch is written again, they are
        // duplicates and change nothing.
        pause(state, error);
        return undefined;
      }
      counters.add("unwritable");
      log("error", `event ${row.event.id} cannot be stored: ${error.message}`);
      outcomes.push(undefined);
    }
  }
  return outcomes;
}

function pause(state: WriterState, error: unknown): void {
  const { node, counters, log, outbox } = state.parts;
  counters.add("write_retries");
  if (state.isPausing) return;
  const ms = RETRY_MS[Math.min(state.failures, RETRY_MS.length - 1)]!;
  state.failures++;
  state.isPausing = true;
  const words = error instanceof Error ? error.message : String(error);
  log("warn", `storage failed, ${outbox.size} events wait, again in ${ms} ms: ${words}`);
  node.sendAfter(state.me, "again", ms);
}

/** Counts the stored events, and passes them to the announcer. */
function tell(
  { counters, node }: Parts,
  { items }: Loan<Outgoing>,
  outcomes: readonly (EventOutcome | undefined)[],
): void {
  const counts = { stored: 0, duplicate: 0, discarded: 0, orphan: 0 };
  for (const outcome of outcomes) if (outcome !== undefined) counts[outcome.kind]++;
  for (const kind of ["stored", "duplicate", "discarded", "orphan"] as const) {
    counters.add(kind, counts[kind]);
  }
  const rows = items.map(({ row }) => row);
  announcer.cast(announcer.at(node, ANNOUNCER)).stored(rows, outcomes);
}
