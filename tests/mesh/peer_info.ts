/** A peer as known from the handshake. */
import type { Met } from "../../lib/mesh/handshake.ts";

/** Returns a peer with default fields. */
export function metAs(name: string, creation: number = 1): Met {
  return {
    name,
    creation,
    version: 1,
    features: 0,
    exposed: [],
    session: 1n,
    lastSession: 0n,
  };
}
