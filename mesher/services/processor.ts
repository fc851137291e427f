/**
 * Groups what was accepted and hands it to the writer; or, when the node is loaded and others help, hands
 * every other batch to them.
 *
 *     inbox ─▶ here: grouped ─▶ outbox
 *         └──▶ a helper on another node: grouped and stored there ─▶ settled here when it says so
 *
 * What a helper has not settled stays in the inbox, on loan. If it is lost the batch is processed here;
 * the events' ids keep what was stored there already from being stored twice.
 *
 * @module
 */
import { type Service, service, type ServicePid } from "@firn/firn";
import type { Parts } from "../parts.ts";
import { type Accepted, grouped } from "../pipeline/accepted.ts";
import type { Loan } from "../pipeline/queue.ts";
import { type Helper, helperCalls } from "./helper.ts";

/** Its name on each node. */
export const PROCESSOR = "event_processor";

/** Events that are grouped in one turn, or sent to a helper in one message. */
export const PROCESS_EVENTS = 50;
/** Batches that helpers may have at once; more are processed here. */
const LENT_BATCHES_MAX = 8;
/** A helper that has not stored a batch by then is not relied upon. Milliseconds. */
const HELPER_MS_MAX = 30_000;
/** The interval of checks without a wake-up. Milliseconds. */
const LOOK_MS = 250;

/** Sent by the service to itself. */
export type Wake = "wake" | "look";

/** The state. */
export interface ProcessorState {
  readonly parts: Parts;
  /** On other nodes. */
  readonly helpers: readonly ServicePid<Helper>[];
  readonly lent: { batches: number; turn: number };
  /** A wake is on its way. */
  readonly woken: { is: boolean };
}

/** Its protocol. */
export interface Processor {
  state: ProcessorState;
  start: [parts: Parts];
  cast: { help(helpers: readonly ServicePid<Helper>[]): void };
  info: Wake;
}

/** The service. */
export const processor: Service<Processor> = service({
  init(parts) {
    const { self } = this;
    const me = self.pid;
    const woken = { is: false };
    const wake = (): void => {
      if (woken.is) return;
      woken.is = true;
      parts.node.send(me, "wake");
    };
    parts.inbox.wake = wake;
    // Their worker has crashed.
    parts.inbox.releaseAll();
    self.sendInterval(me, "look", LOOK_MS);
    return { parts, helpers: [], lent: { batches: 0, turn: 0 }, woken };
  },
  cast: {
    help: (state, helpers) => ({ ...state, helpers }),
  },
  info(state) {
    state.woken.is = false;
    pump(state);
    return state;
  },
});

/** Moves on what can be moved on. One batch a turn is enough to be fair; the next wake comes at once. */
function pump(state: ProcessorState): void {
  const { inbox, outbox } = state.parts;
  while (inbox.waiting > 0) {
    const helper = helperFor(state);
    if (helper !== undefined) {
      lend(state, helper, inbox.take(PROCESS_EVENTS)!);
      continue;
    }
    // The writer wakes us when it has made room.
    if (outbox.room < PROCESS_EVENTS) return;
    const loan = inbox.take(PROCESS_EVENTS)!;
    outbox.push(grouped(state.parts, loan.items));
    inbox.settle(loan);
  }
}

/** Alternates: every other batch is processed here.  */
function helperFor({ helpers, lent }: ProcessorState): ServicePid<Helper> | undefined {
  if (helpers.length === 0 || lent.batches >= LENT_BATCHES_MAX) return undefined;
  const turn = lent.turn++ % (helpers.length + 1);
  return helpers[turn];
}

async function lend(
  state: ProcessorState,
  helper: ServicePid<Helper>,
  loan: Loan<Accepted>,
): Promise<void> {
  const { inbox, counters } = state.parts;
  state.lent.batches++;
  try {
    await helperCalls(helper, HELPER_MS_MAX).process(loan.items);
    counters.add("sent_to_helpers", loan.items.length);
    inbox.settle(loan);
  } catch {
    inbox.release(loan);
  } finally {
    state.lent.batches--;
  }
}
