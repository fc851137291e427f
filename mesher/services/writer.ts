/**
 * Stores what is in the outbox: when 50 wait, or when the first has waited 250 ms; and then as many at once
 * as there are, up to 500. While a batch is under way the next ones gather, because few large ones cost less
 * than many small ones; when 500 have gathered they go too, so that a batch is made ready while the
 * database works on another. What is being stored stays in the outbox, on loan.
 *
 *     idle ──50 wait · 250 ms──▶ writing ──stored──▶ idle · writing the next
 *                                   │ the database is away
 *                                   ▼
 *                                pausing ──the pause is over──▶ writing the same again
 *
 * A batch that the database refuses for good is written one by one, so that one bad event costs no
 * other. Nothing else is ever given up: when the outbox is full, the door is closed (503).
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

/** Its name on each node. */
export const WRITER = "storage_writer";
/** A write begins with this many events. */
export const BATCH_EVENTS = 50;
/** Fewer wait no longer than this. Milliseconds. */
export const BATCH_MS = 250;
/** Maximum number of events of a write. */
export const BATCH_EVENTS_MAX = 500;
/** The most concurrent batches. */
export const WRITES_MAX = 2;
/** Pauses before the same batch is tried again; the last one from then on. Milliseconds. */
export const RETRY_MS: readonly number[] = [100, 500, 1_000, 2_000, 5_000];

/** Sent by the service to itself. */
export type WriterWake = "full" | "late" | "again";

/** The state. */
export interface WriterState {
  readonly parts: Parts;
  readonly me: Pid<WriterWake>;
  /** Aborted when the service has exited: its successor continues. */
  readonly signal: AbortSignal;
  /** A wake is on its way because many wait. */
  isWoken: boolean;
  /** The timer of those that wait runs. */
  isTimed: boolean;
  /** Those that wait have waited long enough, however few they are. */
  isLate: boolean;
  /** Batches under way. */
  writes: number;
  /** How often batches have failed since one was written. */
  failures: number;
  /** Until the pause is over nothing is tried. */
  isPausing: boolean;
  /** What could not be written yet. */
  readonly failed: Loan<Outgoing>[];
}

/** Its protocol. */
export interface Writer {
  state: WriterState;
  start: [parts: Parts];
  info: WriterWake;
}

/** The service. */
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
    // Its predecessor may have had none on loan, and have died with the wake of those that wait.
    if (outbox.waiting > 0) outbox.wake();
    return state;
  },
  info(state, message) {
    if (message === "full") state.isWoken = false;
    if (message === "late") {
      state.isTimed = false;
      state.isLate = true;
    }
    if (message === "again") state.isPausing = false;
    pump(state);
    return state;
  },
});

/** Begins what writes may begin. */
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

/** As many as go at once. Those that are left wait anew. */
function taken(state: WriterState): Loan<Outgoing> | undefined {
  state.isLate = false;
  return state.parts.outbox.take(BATCH_EVENTS_MAX);
}

/** Whether what waits is worth a write now. */
function isDue({ parts: { outbox }, writes, isLate }: WriterState): boolean {
  if (writes >= WRITES_MAX) return false;
  return isLate || outbox.waiting >= (writes === 0 ? BATCH_EVENTS : BATCH_EVENTS_MAX);
}

/** Writes a batch, then the next one. Never rejects. */
async function store(state: WriterState, loan: Loan<Outgoing>): Promise<void> {
  const { outbox, inbox } = state.parts;
  const outcomes = await write(state, loan);
  state.writes--;
  if (outcomes === undefined) state.failed.push(loan);
  else {
    // A successor that has it on loan says so itself, when it has found it stored.
    if (outbox.settle(loan)) { for (const { stored } of loan.items) stored?.(); }
    if (inbox.waiting > 0) inbox.wake?.();
    tell(state.parts, loan, outcomes);
  }
  pump(state);
}

/** Writes a batch. Resolves to undefined if it must be tried again after a pause. */
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

/** One of them is at fault: the others are stored. */
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
        // Those before it are duplicates the next time.
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

/** Counts them, and has it announced that they are stored. */
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
