/**
 * Groups accepted events and passes them to the writer; when the node is loaded and has helpers,
 * they and this node take turns with the batches.
 *
 *     inbox ─▶ here: grouped ─▶ outbox
 *         └──▶ a helper on another node: grouped and stored there ─▶ settled here on its confirmation
 *
 * Events that a helper has not settled stay in the inbox, as borrowed. If the helper is lost, the
 * batch is processed here; the events' ids prevent events that were already stored there from being
 * stored twice.
 *
 * @module
 */
import { type Service, service, type ServicePid } from "@firn/firn";
import type { Parts } from "../parts.ts";
import { type Accepted, grouped } from "../pipeline/accepted.ts";
import type { Loan } from "../pipeline/queue.ts";
import { type Helper, helperCalls } from "./helper.ts";

/** The service's name on each node. */
export const PROCESSOR = "event_processor";

/** Number of events that are grouped in one turn, or sent to a helper in one message. */
export const PROCESS_EVENTS = 50;
/**
 * Maximum number of batches that helpers may have at once. Further batches are processed on this
 * node.
 */
const LENT_BATCHES_MAX = 8;
/** Time limit for a helper to store a batch, in milliseconds. */
const HELPER_MS_MAX = 30_000;
/** Interval at which the inbox is checked, even without a wake-up, in milliseconds. */
const LOOK_MS = 250;

/** A message of the service to itself. */
export type Wake = "wake" | "look";

/** The state of the processor. */
export interface ProcessorState {
  readonly parts: Parts;
  /** The helpers on other nodes. */
  readonly helpers: readonly ServicePid<Helper>[];
  readonly lent: { batches: number; turn: number };
  /** Whether a wake-up message is queued. */
  readonly woken: { is: boolean };
}

/** The protocol of the processor. */
export interface Processor {
  state: ProcessorState;
  start: [parts: Parts];
  cast: { help(helpers: readonly ServicePid<Helper>[]): void };
  info: Wake;
}

/** The service that groups the events that a node has accepted. */
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
    // Takes back the events that the predecessor had borrowed before it crashed.
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

/** Processes the waiting events, one batch per turn, so that other actors can run in between. */
function pump(state: ProcessorState): void {
  const { inbox, outbox } = state.parts;
  while (inbox.waiting > 0) {
    const helper = helperFor(state);
    if (helper !== undefined) {
      lend(state, helper, inbox.take(PROCESS_EVENTS)!);
      continue;
    }
    // The writer wakes the processor when the outbox has room again.
    if (outbox.room < PROCESS_EVENTS) return;
    const loan = inbox.take(PROCESS_EVENTS)!;
    outbox.push(grouped(state.parts, loan.items));
    inbox.settle(loan);
  }
}

/**
 * Returns the helper for the next batch, or undefined if this node processes it. The helpers and
 * this node take turns.
 */
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
