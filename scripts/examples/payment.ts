/**
 * Payments: each is a stored state machine that is found by its id. A payment expires 30 s after
 * its creation unless it is authorised, even if its node is lost meanwhile.
 */
import type { Node } from "@firn/firn";
import { type Shards, shards } from "@firn/firn/cluster";
import { type MachineService, type StateMachine, stateMachine, type Store } from "@firn/firn/otp";

export interface Payment {
  states: "created" | "authorised" | "captured" | "expired";
  data: { readonly card?: string };
  call: { authorise(card: string): "ok"; capture(): "ok" };
}

export const payment: StateMachine<Payment> = stateMachine<Payment>({
  initial: "created",
  data: () => ({}),
  states: {
    created: {
      on: { authorise: { to: "authorised", run: (_, card) => ({ reply: "ok", data: { card } }) } },
      after: { ms: 30_000, to: "expired" },
    },
    authorised: { on: { capture: { to: "captured", run: () => ({ reply: "ok" }) } } },
    captured: {},
    expired: {},
  },
});

export function payments(node: Node, store: Store): Shards<MachineService<Payment>> {
  return shards(node, "payment", { actor: payment, persist: { store } });
}
