/** Promise: when the network is idle, every node knows exactly the others, and dials none. */
import type { MakePromise } from "../chaos.ts";

export const membership: MakePromise = ({ nodes }) => {
  const dials = new Map<string, number>();

  return {
    name: "membership",
    up() {},
    down() {},
    act() {},
    rest() {
      for (const [short, node] of nodes) dials.set(short, node.membership().dials);
    },
    check() {
      for (const [short, node] of nodes) {
        const { known, connected, dialing, dials: now } = node.membership();
        const others = nodes.size - 1;
        if (known !== others || connected !== others) {
          throw new Error(
            `${short} knows ${known} and is connected with ${connected} of ${others}`,
          );
        }
        if (dialing > 0 || now !== dials.get(short)) {
          throw new Error(`${short} has dialed ${now - dials.get(short)!} times at rest`);
        }
      }
    },
  };
};
