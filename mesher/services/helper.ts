/**
 * A processor for another node: it groups that node's events, has this node's writer store them, and
 * answers when they are stored. A loaded node starts it here by the name `HELPER`, linked, so that it
 * ends with the one who asked for it.
 *
 * @module
 */
import {
  type Asks,
  noReply,
  type Outcome,
  type Service,
  service,
  type ServiceContext,
  type ServicePid,
} from "@firn/firn";
import type { Parts } from "../parts.ts";
import { type Accepted, grouped } from "../pipeline/accepted.ts";

/** What a node exposes it as. */
export const HELPER = "mesher_event_processor";

/** For whom it works. */
export interface HelperState {
  readonly parts: Parts;
  readonly node: string;
}

/** What it can be asked. */
export type HelperCalls = {
  process(
    this: ServiceContext,
    state: HelperState,
    items: readonly Accepted[],
  ): [number, HelperState] | Outcome<HelperState>;
};

/** The kind of service. */
export type Helper = Service<HelperState, [node: string], HelperCalls, Record<never, never>>;

/** The service of one node. */
export function helperOf(parts: Parts): Helper {
  return service({
    init: (node: string): HelperState => ({ parts, node }),
    call: {
      process(
        this: ServiceContext,
        state: HelperState,
        items: readonly Accepted[],
      ): [number, HelperState] | Outcome<HelperState> {
        const call = this.call!;
        let left = items.length;
        const stored = (): void => {
          if (--left === 0) call.reply(items.length);
        };
        if (items.length === 0) return [0, state];
        if (!parts.outbox.push(grouped(parts, items, stored))) {
          // The sender keeps them, and processes them itself.
          call.refuse(new Error("this node's buffer is full"));
        } else parts.counters.add("processed_for_others", items.length);
        return noReply(state);
      },
    },
  });
}

/** Only for the types and functions of a helper somewhere. */
const ANY: Helper = helperOf(undefined as never);

/** Functions that ask a helper on any node. */
export function helperCalls(helper: ServicePid, timeout: number): Asks<HelperCalls> {
  return ANY.call(helper, { timeout });
}

/** Starts one on another node. */
export const startHelper: Helper["startAt"] = ANY.startAt;
