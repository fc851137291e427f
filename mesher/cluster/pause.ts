/**
 * Pauses by the clock of a node, which is virtual in the simulator.
 *
 * @module
 */
import type { Node } from "@firn/firn";

/** Resolves after a number of milliseconds. */
export function pause(node: Node, ms: number): Promise<void> {
  return new Promise((done) => {
    node.spawn(async (self) => {
      await self.receive({ timeout: ms });
      done();
    });
  });
}
