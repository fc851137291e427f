/**
 * A processor for another node: it groups that node's events, passes them to this node's writer,
 * and replies when they are stored. A loaded node starts it on this node by the name `HELPER`,
 * linked, so that it ends with its requester.
 *
 * @module
 */
import { type CallApi, noReply, type Service, service, type ServicePid } from "@firn/firn";
import type { Parts } from "../parts.ts";
import { type Accepted, grouped } from "../pipeline/accepted.ts";

/** The name under which a node exposes the helper. */
export const HELPER = "event_processor_worker";

/** The state of a helper: the node that it helps. */
export interface HelperState {
  readonly parts: Parts;
  readonly node: string;
}

/** The protocol of the service. `process` replies with the number of stored events. */
export interface Helper {
  state: HelperState;
  start: [node: string];
  call: { process(items: readonly Accepted[]): number };
}

/** Returns the service of helpers on one node. */
export function helperOf(parts: Parts): Service<Helper> {
  return service({
    name: HELPER,
    init: (node) => ({ parts, node }),
    call: {
      process(state, items) {
        const { call } = this;
        let left = items.length;
        const stored = (): void => {
          if (--left === 0) call.reply(items.length);
        };
        if (items.length === 0) return [0, state];
        if (!parts.outbox.push(grouped(parts, items, stored))) {
          // The requesting node still has the events, and processes them itself.
          call.refuse(new Error("this node's buffer is full"));
        } else parts.counters.add("processed_for_others", items.length);
        return noReply(state);
      },
    },
  });
}

/**
 * A helper service that is never started on this node. It is used to start and call the helpers of
 * other nodes, which does not need the parts of a node.
 */
const ANY: Service<Helper> = helperOf(undefined as never);

/** Returns functions that call a helper on any node. */
export function helperCalls(helper: ServicePid<Helper>, timeout: number): CallApi<Helper> {
  return ANY.call(helper, { timeout });
}

/** Starts a helper on another node. */
export const startHelper: Service<Helper>["startAt"] = ANY.startAt;

/** Returns the target for spawning a helper on another node. */
export const helperOn: Service<Helper>["on"] = ANY.on;
