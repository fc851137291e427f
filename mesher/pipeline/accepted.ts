/**
 * The states of an event in a node, from its validation until it is announced.
 *
 *     validated ─▶ Accepted ─▶ inbox ─▶ grouped: Outgoing ─▶ outbox ─▶ stored ─▶ announced
 *
 * @module
 */
import type { MesherEvent } from "../domain/event.ts";
import { groupingOf } from "../domain/fingerprint.ts";
import type { LogLine } from "../log.ts";
import type { NewEvent } from "../storage/events.ts";
import type { Counters } from "./counters.ts";

/**
 * A validated event that was sampled, is within the rate limit, and was answered with 202. It is a
 * plain object, so that it can be sent to another node.
 */
export interface Accepted {
  readonly projectId: string;
  readonly receivedAt: number;
  readonly event: MesherEvent;
}

/** An event that is grouped and ready to be stored. */
export interface Outgoing {
  readonly row: NewEvent;
  /** Called when the event is stored. Set if another node waits for that. */
  readonly stored?: (() => void) | undefined;
}

/** Returns the event as it is stored. */
export function rowOf({ projectId, receivedAt, event }: Accepted): NewEvent {
  const { fingerprint, title, culprit } = groupingOf(event);
  return { projectId, fingerprint, title, culprit, receivedAt, event };
}

/**
 * Returns the rows of events. An event that cannot be grouped is a bug, and must not block the
 * others.
 */
export function grouped(
  { counters, log }: { readonly counters: Counters; readonly log: LogLine },
  items: readonly Accepted[],
  stored?: () => void,
): Outgoing[] {
  const rows: Outgoing[] = [];
  for (const item of items) {
    try {
      rows.push({ row: rowOf(item), stored });
    } catch (error) {
      counters.add("unwritable");
      log("error", `event ${item.event.id} cannot be grouped: ${String(error)}`);
      stored?.();
    }
  }
  return rows;
}
