/**
 * Starts the channels of a node, and connects them with its other parts.
 *
 * @module
 */
import type { Call } from "../actor/call.ts";
import type { Self } from "../actor/self.ts";
import type { System } from "../actor/system.ts";
import { TIMER_MS_MAX } from "../actor/timer.ts";
import type { Log } from "../base/log.ts";
import type { GroupTable } from "../cluster/groups.ts";
import type { HomeKind, Homes } from "../cluster/home.ts";
import type { RelayLink } from "../cluster/relay_link.ts";
import { hashOf } from "../cluster/rendezvous.ts";
import type { Pid } from "../term/pid.ts";
import type { TurnEnd } from "../ws/rooms.ts";
import { type Channel, historyOf } from "./channel.ts";
import { History } from "./history.ts";
import { HAND_OVER, historyHome, type HomeCast, type HomePorts } from "./history_home.ts";
import { Hub, type HubRequest } from "./hub.ts";
import type { LogState } from "./topic_log.ts";

/**
 * Minimum time for which the history of an unused topic is kept, in milliseconds. It is kept for
 * twice its `ttl` if that is longer.
 */
const QUIET_MS = 120_000;

/** The parts of a node that channels use. */
export interface ChannelParts {
  readonly system: System;
  readonly groups: GroupTable;
  readonly homes: Homes;
  readonly log: Log;
  readonly turn: TurnEnd;
  readonly messageBytesMax: number;
  /** Carries messages to other meshes, if the node has the option `relay`. */
  readonly link?: RelayLink | undefined;
}

/** Starts the hub of a node. */
export function startHub(parts: ChannelParts): Hub {
  const { system, homes, log } = parts;
  const kinds = new Map<Channel, HomeKind>();
  const hub: Hub = new Hub(parts, (channel): History | undefined => {
    if (historyOf(channel.options.history) === undefined) return undefined;
    kinds.set(channel, offer(channel));
    return hub.history ?? new History({
      me: hub.pid as Pid,
      node: system.home.node,
      channelOf: (topic) => hub.find(topic),
      call: (channel, topic, request) => kinds.get(channel)!.call(topic, request),
      keep: (channel, topic) => kinds.get(channel)!.cast(topic, ["keep"]),
      cast: (to, message) => system.send(to as Pid<never> as Pid<HomeCast>, message),
      deliver: (topic, frame, except) => hub.deliver(topic, frame, except),
      socket: (topic, id) => hub.clientOf(topic, id),
      monitor: (pid) => hub.monitor(pid),
      after: (ms, task) => hub.after(ms, task),
      yieldToIo: (task) => system.yieldToIo(task),
      now: () => system.now(),
      warn: (words) => log.warn(words),
    });
  });

  function offer(channel: Channel): HomeKind {
    const rules = historyOf(channel.options.history)!;
    const unusedMs = Math.max(QUIET_MS, rules.ttl * 2);
    const ports: HomePorts = {
      ...rules,
      now: () => system.now(),
      newId: () => hub.newId(),
      hubs: () => [...hub.peers.values()],
      keepers: (topic) => {
        const offering = new Set(kinds.get(channel)!.nodes());
        return orderFor(topic, [...hub.peers].filter(([node]) => offering.has(node)));
      },
      ownCopy: (topic) => hub.history?.copyOf(topic),
      sendToHub: (to, message) => hub.sendToHub(to, message),
      fetchCopy: (to, topic, timeout) => {
        const asked = to as unknown as Pid<Call<HubRequest, LogState | undefined>>;
        return system.call(asked, ["history", topic], { timeout });
      },
    };
    return homes.offer(`channel ${channel.pattern}`, {
      start: (self: Self, topic, { state }) =>
        self.spawnLink(historyHome, topic, ports, state as LogState | undefined),
      // No time limit is needed here, because the actor is stopped if it does not answer in time.
      handover: (pid) =>
        system.call(pid as unknown as Pid<Call<unknown, unknown>>, HAND_OVER, {
          timeout: Infinity,
        }),
      // If a history must be kept for longer than a timer can run, its actor is never passivated.
      passivateAfter: unusedMs > TIMER_MS_MAX ? Infinity : unusedMs,
    });
  }

  return hub;
}

/** Returns the hubs of other nodes in an order that depends on the topic. */
function orderFor(topic: string, hubs: readonly [node: string, hub: Pid][]): Pid[] {
  return hubs.map(([node, pid]) => ({ pid, score: hashOf(`${node} ${topic}`) }))
    .sort((a, b) => b.score - a.score).map(({ pid }) => pid);
}
