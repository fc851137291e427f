/** A node as it was met in the handshake. */
import type { Met } from "../../lib/mesh/handshake.ts";

/** One that says nothing remarkable. */
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
