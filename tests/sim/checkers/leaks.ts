/**
 * Checks that exited actors leave no state, on their node and on others: no actor, call, monitor,
 * name or timer.
 */
import { DEFAULT_SCOPE, Groups } from "../../../lib/cluster/groups.ts";
import type { Parts } from "../../../lib/start.ts";

/** The state that a node still keeps after all actors have exited. */
export interface Left {
  readonly actors: number;
  /**
   * The sizes of the non-empty tables that a node keeps for other nodes: of their actors, and of
   * the monitors on them.
   */
  readonly kept: readonly number[];
  readonly monitors: readonly number[];
  readonly timers: number;
  readonly names: readonly string[];
  readonly members: readonly string[];
  /** The number of sessions minus the number of other nodes. */
  readonly sessions: number;
}

const NOTHING: Left = {
  actors: 0,
  kept: [],
  monitors: [],
  timers: 0,
  names: [],
  members: [],
  sessions: 0,
};

/** Returns the state of a node beyond its initial actors and a session with each other node. */
export function leftOf(parts: Parts, actors: number, others: number): Left {
  const { remote, system, mesh, global, groups } = parts;
  const peers = mesh.peers();
  return {
    actors: system.pids().length - actors,
    kept: peers.map((name) => remote.nodeLink(name)!.kept).filter((kept) => kept > 0),
    monitors: peers.map((name) => remote.nodeLink(name)!.monitors).filter((count) => count > 0),
    timers: system.wheel.size,
    names: global.names(),
    members: new Groups(groups, DEFAULT_SCOPE).names(),
    sessions: peers.length - others,
  };
}

/** Throws if a node has any state left. */
export function checkLeft(who: string, left: Left): void {
  const text = JSON.stringify(left);
  if (text !== JSON.stringify(NOTHING)) throw new Error(`${who} still has ${text}`);
}
