/**
 * Builds the channels of a node from its parts.
 *
 * @module
 */
import type { System } from "../actor/system.ts";
import type { Log } from "../base/log.ts";
import type { GroupTable } from "../cluster/groups.ts";
import type { TurnEnd } from "../ws/rooms.ts";
import { Hub } from "./hub.ts";

/** The history of a quiet topic without clients is dropped after this, or twice its `ttl`. Milliseconds. */
const QUIET_MS = 120_000;

/** The parts of a node that channels are built from. */
export interface ChannelParts {
  readonly system: System;
  readonly groups: GroupTable;
  readonly log: Log;
  readonly turn: TurnEnd;
  readonly messageBytesMax: number;
}

/** Starts the hub of a node. */
export function startHub(parts: ChannelParts): Hub {
  const hub = new Hub(parts, () => undefined);
  return hub;
}
