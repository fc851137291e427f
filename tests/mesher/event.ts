/**
 * Events for tests.
 */
import type { MesherEvent } from "../../mesher/domain/event.ts";
import { groupingOf } from "../../mesher/domain/fingerprint.ts";
import { newId } from "../../mesher/domain/id.ts";
import type { NewEvent } from "../../mesher/storage/events.ts";

/** Returns an event with a message and the given fields. */
export function eventWith(parts: Partial<MesherEvent> = {}): MesherEvent {
  return {
    id: newId(),
    timestamp: 1_700_000_000_000,
    level: "error",
    message: "the door is shut",
    exceptions: [],
    breadcrumbs: [],
    tags: {},
    user: null,
    environment: null,
    release: null,
    platform: null,
    serverName: null,
    transaction: null,
    logger: null,
    sdk: null,
    fingerprint: null,
    extra: {},
    contexts: {},
    request: null,
    ...parts,
  };
}

/** Returns the same event in the form that the batch writer passes to the storage. */
export function entryWith(
  projectId: string,
  receivedAt: number,
  parts: Partial<MesherEvent> = {},
): NewEvent {
  const event = eventWith({ timestamp: receivedAt, ...parts });
  const { fingerprint, title, culprit } = groupingOf(event);
  return { projectId, fingerprint, title, culprit, receivedAt, event };
}

/**
 * Returns an event of a realistic size: an exception with twenty frames, tags and breadcrumbs;
 * about 4 kB.
 */
export function realisticEntry(projectId: string, receivedAt: number, number: number): NewEvent {
  const frames = Array.from({ length: 20 }, (_, i) => ({
    file: `src/${["router", "store", "cart", "pay"][i % 4]}/step${i}.ts`,
    function: `handle${(number % 25) + i}`,
    module: null,
    line: 10 + i,
    column: 5,
    inApp: i > 12,
    context: `    return await this.next(order.items[${i}]);`,
    contextBefore: [],
    contextAfter: [],
  }));
  return entryWith(projectId, receivedAt, {
    message: `order ${number} could not be paid`,
    exceptions: [{
      type: "PaymentError",
      value: `order ${number} could not be paid`,
      module: null,
      handled: number % 3 === 0,
      frames,
    }],
    breadcrumbs: Array.from({ length: 5 }, (_, i) => ({
      timestamp: receivedAt - i * 1000,
      type: "http",
      category: "fetch",
      level: "info" as const,
      message: `GET /api/orders/${number}`,
      data: { status: 200 },
    })),
    tags: { server: `web-${number % 7}`, region: number % 2 ? "eu" : "us" },
    environment: "production",
    release: `shop@1.${number % 5}.0`,
  });
}
