/**
 * Implements the part of topic histories that runs on every node: receives the messages of
 * subscribed topics from their home nodes, resumes clients from any position, and keeps copies of
 * topics for other nodes.
 *
 *     publish ─▶ home of the topic ─▶ entries ─▶ this node: in order, without gaps ─▶ its clients
 *
 * Longer than 400 lines: it is one state machine, in which subscriptions, resumes and copies share
 * a table.
 *
 * @module
 */
import { inPortions, type YieldsToIo } from "../base/portions.ts";
import type { Pid } from "../term/pid.ts";
import { type Channel, historyOf, type Position } from "./channel.ts";
import type { TopicClient } from "./client.ts";
import { ChannelError } from "./errors.ts";
import {
  type HomeAnswer,
  type HomeCast,
  type HomeMessage,
  type HomeRequest,
  STALE,
} from "./history_home.ts";
import { type LogEntry, type LogState, TopicLog } from "./topic_log.ts";
import { withDetails } from "./wire.ts";

/** Maximum number of earlier messages that a joining client may request. */
const RECENT_MAX = 1_000;

/** Delay before a failed subscription is retried, in milliseconds. */
const RETRY_MS = 500;

/** Maximum number of attempts to publish a message while the home of its topic changes. */
const PUBLISH_TRIES = 5;

/** Maximum number of attempts to read missed messages while the home of the topic changes. */
const READ_TRIES = 5;

/** Interval of the messages that keep the actors of subscribed topics running, in milliseconds. */
const KEEP_MS = 30_000;

/**
 * The event that contains the client's position in the history. It is sent if no text message
 * contains the position.
 */
const POSITION_EVENT = "firn_position";

/** The event that notifies a client of missing messages. */
const LOST_EVENT = "firn_lost";

/** The result of joining a topic with history. */
export interface Resumed {
  /** The history fields of the reply to the join. */
  readonly details: {
    readonly recovered?: boolean;
    readonly reason?: string | undefined;
    readonly epoch: string;
    readonly offset: number;
    /** Number of missed messages that follow the reply. */
    readonly missed: number;
  };
  /** The encoded messages that the client missed. */
  readonly missed: readonly (string | Uint8Array)[];
}

/** The properties and functions of the hub that the history uses. */
export interface HistoryPorts extends YieldsToIo {
  readonly me: Pid;
  readonly node: string;
  channelOf(topic: string): Channel | undefined;
  /** Calls the actor of a topic, after starting it if it does not run. */
  call<Answer>(channel: Channel, topic: string, request: HomeRequest): Promise<Answer>;
  /** Sends a message that keeps the actor of a topic running. */
  keep(channel: Channel, topic: string): void;
  cast(to: Pid, message: HomeCast): void;
  /** Sends a frame to the clients of this node. */
  deliver(topic: string, frame: string | Uint8Array, except: TopicClient | undefined): void;
  /** Returns the client of this node with a number. */
  socket(topic: string, id: number): TopicClient | undefined;
  /** Calls {@linkcode History.down} when an actor exits. */
  monitor(pid: Pid): void;
  after(ms: number, task: () => void): { cancel(): void };
  now(): number;
  warn(words: string): void;
}

/** This node's subscription to a topic. */
interface Subscription {
  readonly topic: string;
  readonly channel: Channel;
  home: Pid | undefined;
  position: Position | undefined;
  /**
   * Settles when the current synchronisation with the home has ended. Undefined if there is none.
   */
  syncing: Promise<void> | undefined;
  /** Whether another synchronisation was requested during the current one. */
  isAgain: boolean;
  /** Messages that arrived during the current synchronisation. They are handled after it. */
  held: { home: Pid; epoch: string; entry: LogEntry }[];
  /**
   * Messages that arrived while missed messages were being read for joining clients. These clients
   * must receive them too.
   */
  recent: LogEntry[];
  readers: number;
  /**
   * Number of times that this node has missed messages. If it changes during a read, the read is
   * repeated.
   */
  generation: number;
  isOver: boolean;
}

/** The copy of a topic that this node keeps for the topic's home. */
interface Copy {
  readonly log: TopicLog;
  readonly epoch: number;
  usedAt: number;
}

/**
 * The history of topics on one node: subscribes to topics, resumes clients, and keeps copies for
 * other nodes.
 */
export class History {
  readonly #ports: HistoryPorts;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #copies = new Map<string, Copy>();
  /** The topics of the monitored homes, by the pid of the home. A home has one topic. */
  readonly #monitored = new Map<string, string>();
  #sweep: { cancel(): void } | undefined;
  #keepAwake: { cancel(): void } | undefined;

  constructor(ports: HistoryPorts) {
    this.#ports = ports;
  }

  /**
   * Sends a frame through the home of its topic. Resolves with its position when all copies have
   * stored it.
   */
  async publish(
    topic: string,
    frame: string | Uint8Array,
    except: TopicClient | undefined,
  ): Promise<Position> {
    const channel = this.#ports.channelOf(topic)!;
    const source: LogEntry["except"] = except && [this.#ports.node, except.id];
    for (let tries = 1;; tries++) {
      try {
        return await this.#ports.call<Position>(channel, topic, ["publish", frame, source]);
      } catch (error) {
        // A stale home has not committed the message before it exited: publishes the message again.
        if (tries < PUBLISH_TRIES && isStale(error)) continue;
        const { message } = error as Error;
        const words = `${topic}: the message may not have been kept: ${message}`;
        throw new ChannelError("nohome", words);
      }
    }
  }

  /**
   * Subscribes to a topic for a client. Calls `enter` with the messages that the client missed.
   * `enter` must make the client a receiver at once, because later messages are not included. It is
   * not called if all clients have left the topic in the meantime.
   */
  async subscribe(
    topic: string,
    details: unknown,
    enter: (resumed: Resumed | undefined) => void,
  ): Promise<void> {
    const channel = this.#ports.channelOf(topic);
    if (channel === undefined || historyOf(channel.options.history) === undefined) {
      return enter(undefined);
    }
    let known = this.#subscriptions.get(topic);
    if (known === undefined) {
      known = {
        topic,
        channel,
        home: undefined,
        position: undefined,
        syncing: undefined,
        isAgain: false,
        held: [],
        recent: [],
        readers: 0,
        generation: 0,
        isOver: false,
      };
      this.#subscriptions.set(topic, known);
      this.#keepAwake ??= this.#ports.after(KEEP_MS, () => this.#keep());
      this.#sync(known);
    }
    const wish = wishOf(details);
    for (let tries = 1;; tries++) {
      await known.syncing;
      const wantsNone = wish.position === undefined && wish.recent === 0;
      // Without a position, this node cannot detect gaps in later messages.
      if (wantsNone || known.position === undefined) {
        return enter(this.#resumed(known, wish.position, undefined));
      }
      const { generation } = known;
      known.readers++;
      try {
        const request: HomeRequest = ["read", wish.position, wish.recent];
        const answer = await this.#ports.call<HomeAnswer>(channel, topic, request)
          .catch(() => undefined);
        // All clients have left the topic in the meantime.
        if (known.isOver) return;
        if (answer === undefined || this.#follows(known, answer, generation)) {
          return enter(this.#resumed(known, wish.position, answer));
        }
        // The home has changed, or messages are still in transit to this node. The node
        // synchronises before the next attempt.
        if (tries === READ_TRIES) return enter(this.#resumed(known, wish.position, undefined));
        this.#sync(known);
      } finally {
        known.readers--;
        if (known.readers === 0) known.recent = [];
      }
    }
  }

  /**
   * Delivers the messages of an answer that this node has not received yet. Returns false if a
   * message before them is missing, or if another home has sent the earlier messages.
   */
  #follows(known: Subscription, answer: HomeAnswer, generation: number): boolean {
    if (known.generation !== generation || known.position === undefined) return false;
    if (!known.home?.equals(answer.home)) return false;
    for (const entry of answer.missed) {
      const isNext = entry.offset === known.position.offset + 1;
      if (isNext) this.#deliver(known, answer.position.epoch, entry);
    }
    return known.position.offset >= answer.position.offset;
  }

  /** Called when the last client of this node has left a topic. */
  unsubscribe(topic: string): void {
    const known = this.#subscriptions.get(topic);
    if (known === undefined) return;
    known.isOver = true;
    this.#subscriptions.delete(topic);
    if (known.home !== undefined) this.#ports.cast(known.home, ["unsubscribe", this.#ports.me]);
  }

  /** Handles a message of a topic's home. */
  received(message: HomeMessage): void {
    const [kind, topic, home] = message;
    if (kind === "copy") return this.#copy(message);
    const known = this.#subscriptions.get(topic);
    if (known === undefined) return this.#ports.cast(home, ["unsubscribe", this.#ports.me]);
    const [, , , epoch, entries] = message;
    for (const entry of entries) this.#arrived(known, home, epoch, entry);
  }

  /** Returns the copy of a topic that this node keeps. */
  copyOf(topic: string): LogState | undefined {
    return this.#copies.get(topic)?.log.state(this.#ports.now());
  }

  /** Called when an actor has exited. Subscribes again to the topic whose home that actor was. */
  down(pid: Pid): void {
    const topic = this.#monitored.get(pid.key);
    this.#monitored.delete(pid.key);
    const known = topic === undefined ? undefined : this.#subscriptions.get(topic);
    if (known?.home?.equals(pid)) this.#sync(known);
  }

  /** Cancels all timers, and ends all subscriptions. */
  stop(): void {
    this.#sweep?.cancel();
    this.#keepAwake?.cancel();
    for (const known of this.#subscriptions.values()) known.isOver = true;
    this.#subscriptions.clear();
  }

  #keep(): void {
    const subscriptions = this.#subscriptions;
    inPortions(
      subscriptions.values(),
      this.#ports,
      ({ channel, topic }) => this.#ports.keep(channel, topic),
      () => {
        this.#keepAwake = subscriptions.size === 0
          ? undefined
          : this.#ports.after(KEEP_MS, () => this.#keep());
      },
    );
  }

  /** Subscribes at the home, and delivers missed messages. */
  #sync(known: Subscription): void {
    known.home = undefined;
    known.isAgain = known.syncing !== undefined;
    known.syncing ??= this.#synchronise(known);
  }

  async #synchronise(known: Subscription): Promise<void> {
    try {
      await this.#subscribeAtHome(known);
    } finally {
      known.syncing = undefined;
      // Synchronises again if a gap was detected after the home had answered.
      if (known.isAgain && known.home === undefined && !known.isOver) this.#sync(known);
    }
  }

  async #subscribeAtHome(known: Subscription): Promise<void> {
    const { topic, channel } = known;
    for (let tries = 0; !known.isOver; tries++) {
      try {
        const request: HomeRequest = ["subscribe", this.#ports.me, known.position];
        const answer = await this.#ports.call<HomeAnswer>(channel, topic, request);
        if (known.isOver) {
          // If clients have joined the topic again, the subscription is kept: a home has only one
          // subscription per node.
          if (this.#subscriptions.has(topic)) return;
          return this.#ports.cast(answer.home, ["unsubscribe", this.#ports.me]);
        }
        known.home = answer.home;
        if (!this.#monitored.has(answer.home.key)) {
          this.#monitored.set(answer.home.key, topic);
          this.#ports.monitor(answer.home);
        }
        this.#synced(known, answer);
        return;
      } catch (error) {
        if (tries === 0) this.#ports.warn(`${topic}: no home yet: ${(error as Error).message}`);
        if (tries === 0 && known.position === undefined) {
          // Retries in the background, because joins must not wait for the retries.
          return void this.#ports.after(RETRY_MS, () => !known.isOver && this.#sync(known));
        }
        await new Promise<void>((wake) => this.#ports.after(RETRY_MS, wake));
      }
    }
  }

  #synced(known: Subscription, { position, recovered, reason, missed }: HomeAnswer): void {
    if (!recovered) {
      known.generation++;
      const lost = { reason, ...position };
      this.#ports.deliver(
        known.topic,
        JSON.stringify([null, null, known.topic, LOST_EVENT, lost]),
        undefined,
      );
      known.position = position;
    } else {
      known.position ??= position;
      for (const entry of missed) this.#deliver(known, position.epoch, entry);
      known.position = position;
    }
    const held = known.held.splice(0);
    for (const { home, epoch, entry } of held) this.#arrived(known, home, epoch, entry);
  }

  #arrived(known: Subscription, home: Pid, epoch: string, entry: LogEntry): void {
    const { position } = known;
    if (known.syncing !== undefined && known.home === undefined) {
      known.held.push({ home, epoch, entry });
      return;
    }
    // The sender is an earlier home that has not noticed its replacement yet.
    if (!known.home?.equals(home)) return this.#ports.cast(home, ["unsubscribe", this.#ports.me]);
    if (position === undefined || entry.offset <= position.offset) return;
    // Messages are missing, because the queue between the nodes was full.
    if (entry.offset > position.offset + 1) return this.#sync(known);
    this.#deliver(known, epoch, entry);
  }

  #deliver(known: Subscription, epoch: string, entry: LogEntry): void {
    const { topic } = known;
    const { offset, frame, except } = entry;
    if (known.position !== undefined && offset <= known.position.offset) return;
    known.position = { epoch, offset };
    if (known.readers > 0) known.recent.push(entry);
    const socket = except?.[0] === this.#ports.node
      ? this.#ports.socket(topic, except[1])
      : undefined;
    if (typeof frame === "string") {
      this.#ports.deliver(topic, withDetails(frame, known.position), socket);
    } else this.#ports.deliver(topic, frame, socket);
    const place = JSON.stringify([null, null, topic, POSITION_EVENT, known.position]);
    if (typeof frame !== "string") this.#ports.deliver(topic, place, undefined);
    else socket?.send(place);
  }

  /** Returns the messages that a joining client has missed since `position`. */
  #resumed(
    known: Subscription,
    position: Position | undefined,
    answer: HomeAnswer | undefined,
  ): Resumed {
    const at = known.position ?? answer?.position ?? { epoch: "", offset: 0 };
    const last = answer?.missed.at(-1)?.offset ?? answer?.position.offset ?? at.offset;
    const late = answer === undefined
      ? []
      : known.recent.filter(({ offset }) =>
        offset > last && !answer.missed.some((e) => e.offset === offset)
      );
    const entries = [...answer?.missed ?? [], ...late];
    const missed = entries.flatMap(({ offset, frame }) => {
      const place = { epoch: at.epoch, offset };
      if (typeof frame === "string") return [withDetails(frame, place)];
      return [frame, JSON.stringify([null, null, known.topic, POSITION_EVENT, place])];
    });
    const place = { ...at, missed: entries.length };
    if (position === undefined) return { details: place, missed };
    const reason = answer === undefined ? "nohome" : answer.reason;
    const recovered = answer?.recovered === true;
    return {
      details: recovered ? { recovered, ...place } : { recovered, reason, ...place },
      missed,
    };
  }

  /** Stores messages in the copy of a topic, and acknowledges them to its home. */
  #copy(
    [, topic, home, epoch, update]: Extract<HomeMessage, readonly ["copy", ...unknown[]]>,
  ): void {
    const channel = this.#ports.channelOf(topic);
    const rules = channel && historyOf(channel.options.history);
    if (rules === undefined) return;
    const now = this.#ports.now();
    const known = this.#copies.get(topic);
    const { me } = this.#ports;
    if (known !== undefined && known.epoch > epoch) {
      return this.#ports.cast(home, ["stale", me, known.epoch]);
    }
    let log = known?.log;
    if (!Array.isArray(update)) {
      log = new TopicLog(update as LogState, rules, now);
      this.#copies.set(topic, { log, epoch, usedAt: now });
    } else if (log !== undefined && known!.epoch === epoch) {
      log.extend(update, now);
      known!.usedAt = now;
    } else return;
    this.#ports.cast(home, ["copied", me, log!.last]);
    this.#sweep ??= this.#ports.after(60_000, () => this.#expire());
  }

  /**
   * Drops the copies that have not received a message for twice the retention time of their topic.
   */
  #expire(): void {
    const now = this.#ports.now();
    inPortions(this.#copies, this.#ports, ([topic, { usedAt }]) => {
      const channel = this.#ports.channelOf(topic);
      const rules = channel && historyOf(channel.options.history);
      if (rules === undefined || now - usedAt > rules.ttl * 2) this.#copies.delete(topic);
    }, () => {
      this.#sweep = this.#copies.size === 0
        ? undefined
        : this.#ports.after(60_000, () => this.#expire());
    });
  }
}

/** Returns whether an error comes from a home that exited because a later epoch exists. */
function isStale(error: unknown): boolean {
  const { reason } = error as { reason?: unknown };
  return typeof reason === "object" && reason !== null &&
    (reason as { shutdown?: unknown }).shutdown === STALE;
}

/** Reads the request of a joining client. Ignores malformed parts. */
function wishOf(details: unknown): { position: Position | undefined; recent: number } {
  if (typeof details !== "object" || details === null) return { position: undefined, recent: 0 };
  const { epoch, offset, recent } = details as Record<string, unknown>;
  const isPosition = typeof epoch === "string" && epoch.length <= 64 &&
    Number.isSafeInteger(offset) && (offset as number) >= 0;
  return {
    position: isPosition ? { epoch, offset: offset as number } : undefined,
    recent: Number.isInteger(recent) ? Math.max(0, Math.min(RECENT_MAX, recent as number)) : 0,
  };
}
