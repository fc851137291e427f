/**
 * A singleton with state: order numbers, each of which is used only once, whichever node assigns
 * it.
 */
import { type Node, service } from "@firn/firn";
import type { Store } from "@firn/firn/otp";

export async function orderNumbers(node: Node, store: Store): Promise<{ next(): Promise<number> }> {
  const numbers = service<{ state: number; call: { next(): number } }>({
    init: () => 0,
    call: { next: (last) => [last + 1, last + 1] },
    persist: { store, key: "order numbers" },
  });
  await node.global.singleton("orders", { id: "orders", start: (self) => numbers.start(self) });
  return { next: () => numbers.call(numbers.at(node.global, "orders")).next() };
}
