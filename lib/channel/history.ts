/**
 * History, on every node: the messages of subscribed topics arrive from their homes, clients resume from any
 * position, and copies of topics are kept for other nodes.
 *
 *     publish ─▶ home of the topic ─▶ entries ─▶ this node: in order, without gaps ─▶ its clients
 *
 * @module
 */
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

/** The most messages that a joining client may ask for. */
const RECENT_MAX = 1_000;

/** A failed subscription is tried again after this. Milliseconds. */
const RETRY_MS = 500;

/** A message for a home that has been replaced is sent to the next one, so often in all. */
const PUBLISH_TRIES = 5;

/** A client that joins while the home of its topic changes is answered by the next one, after so many at most. */
const READ_TRIES = 5;

/** Homes of subscribed topics are kept awake this often. Milliseconds. */
const KEEP_MS = 30_000;

/** The event that tells a client a position, where no message could. */
const POSITION_EVENT = "firn_position";

/** The event that tells a client that messages are missing. */
const LOST_EVENT = "firn_lost";

/** What a client gets when it joins a topic with history. */
export interface Resumed {
  /** What its reply says. */
  readonly details: {
    readonly recovered?: boolean;
    readonly reason?: string | undefined;
    readonly epoch: string;
    readonly offset: number;
    /** How many of the messages follow. */
    readonly missed: number;
  };
  /** The messages that it has missed. */
  readonly missed: readonly (string | Uint8Array)[];
}

/** What history needs of its hub. */
export interface HistoryPorts {
  readonly me: Pid;
  readonly node: string;
  channelOf(topic: string): Channel | undefined;
  /** Sends a request to the actor of a topic, which is started if need be. */
  call<Answer>(channel: Channel, topic: string, request: HomeRequest): Promise<Answer>;
  /** Keeps the actor of a topic from being stopped. */
  keep(channel: Channel, topic: string): void;
  cast(to: Pid, message: HomeCast): void;
  /** Sends a frame to the clients here. */
  deliver(topic: string, frame: string | Uint8Array, except: TopicClient | undefined): void;
  /** The client of this node with that number. */
  socket(topic: string, id: number): TopicClient | undefined;
  /** Calls {@linkcode History.down} when an actor ends. */
  monitor(pid: Pid): void;
  after(ms: number, task: () => void): { cancel(): void };
  now(): number;
  warn(words: string): void;
}

/** A topic that this node is subscribed to. */
interface Subscription {
  readonly topic: string;
  readonly channel: Channel;
  home: Pid | undefined;
  position: Position | undefined;
  /** Settles when the messages up to the last one have arrived. */
  syncing: Promise<void> | undefined;
  /** What has arrived meanwhile. */
  held: { home: Pid; epoch: string; entry: LogEntry }[];
  /** The messages that have arrived while clients read what they have missed. */
  recent: LogEntry[];
  readers: number;
  /** Increases when messages were lost for this node. */
  generation: number;
  isOver: boolean;
}

/** A copy of a topic that is kept for its home. */
interface Copy {
  readonly log: TopicLog;
  readonly epoch: number;
  usedAt: number;
}

/** The history of the topics of one node. */
export class History {
  readonly #ports: HistoryPorts;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #copies = new Map<string, Copy>();
  readonly #monitored = new Set<string>();
  #sweep: { cancel(): void } | undefined;
  #keepAwake: { cancel(): void } | undefined;

  constructor(ports: HistoryPorts) {
    this.#ports = ports;
  }

  /** Sends a frame through the home of its topic. Resolves with its position when all copies have it. */
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
        // A home that ends because a later one is known has kept nothing that waited for copies.
        if (tries < PUBLISH_TRIES && isStale(error)) continue;
        const { message } = error as Error;
        const words = `${topic}: the message may not have been kept: ${message}`;
        throw new ChannelError("nohome", words);
      }
    }
  }

  /** Subscribes to a topic for a client, and returns what it has missed. */
  async subscribe(topic: string, details: unknown): Promise<Resumed | undefined> {
    const channel = this.#ports.channelOf(topic);
    if (channel === undefined || historyOf(channel.options.history) === undefined) return undefined;
    let known = this.#subscriptions.get(topic);
    if (known === undefined) {
      known = {
        topic,
        channel,
        home: undefined,
        position: undefined,
        syncing: undefined,
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
      // Without a home, and so without a position, this node would not know what it receives next.
      if (wantsNone || known.position === undefined) {
        return this.#resumed(known, wish.position, undefined);
      }
      const { generation } = known;
      known.readers++;
      try {
        const request: HomeRequest = ["read", wish.position, wish.recent];
        const answer = await this.#ports.call<HomeAnswer>(channel, topic, request)
          .catch(() => undefined);
        // All clients of the topic have left meanwhile.
        if (known.isOver) return undefined;
        if (answer === undefined || this.#follows(known, answer, generation)) {
          return this.#resumed(known, wish.position, answer);
        }
        // The topic has another home now, or messages are on their way to this node: they come first.
        if (tries === READ_TRIES) return this.#resumed(known, wish.position, undefined);
        this.#sync(known);
      } finally {
        known.readers--;
        if (known.readers === 0) known.recent = [];
      }
    }
  }

  /** Whether this node has received all that the answer to a client is based on, from the same home. */
  #follows(known: Subscription, answer: HomeAnswer, generation: number): boolean {
    if (known.generation !== generation || known.position === undefined) return false;
    if (!known.home?.equals(answer.home)) return false;
    for (const entry of answer.missed) {
      const isNext = entry.offset === known.position.offset + 1;
      if (isNext) this.#deliver(known, answer.position.epoch, entry);
    }
    return known.position.offset >= answer.position.offset;
  }

  /** No client of this node is in the topic any more. */
  unsubscribe(topic: string): void {
    const known = this.#subscriptions.get(topic);
    if (known === undefined) return;
    known.isOver = true;
    this.#subscriptions.delete(topic);
    if (known.home !== undefined) this.#ports.cast(known.home, ["unsubscribe", this.#ports.me]);
  }

  /** A message of a topic's home. */
  received(message: HomeMessage): void {
    const [kind, topic, home] = message;
    if (kind === "copy") return this.#copy(message);
    const known = this.#subscriptions.get(topic);
    if (known === undefined) return this.#ports.cast(home, ["unsubscribe", this.#ports.me]);
    const [, , , epoch, entries] = message;
    for (const entry of entries) this.#arrived(known, home, epoch, entry);
  }

  /** The copy of a topic that is kept here. */
  copyOf(topic: string): LogState | undefined {
    return this.#copies.get(topic)?.log.state(this.#ports.now());
  }

  /** An actor has ended: if it was the home of topics, they are subscribed again. */
  down(pid: Pid): void {
    this.#monitored.delete(pid.key);
    for (const known of this.#subscriptions.values()) {
      if (known.home?.equals(pid)) this.#sync(known);
    }
  }

  /** Ends all timers. */
  stop(): void {
    this.#sweep?.cancel();
    this.#keepAwake?.cancel();
    for (const known of this.#subscriptions.values()) known.isOver = true;
    this.#subscriptions.clear();
  }

  #keep(): void {
    for (const { channel, topic } of this.#subscriptions.values()) this.#ports.keep(channel, topic);
    this.#keepAwake = this.#subscriptions.size === 0
      ? undefined
      : this.#ports.after(KEEP_MS, () => this.#keep());
  }

  /** Subscribes at the home, and delivers what has been missed. */
  #sync(known: Subscription): void {
    known.home = undefined;
    known.syncing ??= this.#subscribeAtHome(known).finally(() => known.syncing = undefined);
  }

  async #subscribeAtHome(known: Subscription): Promise<void> {
    const { topic, channel } = known;
    for (let tries = 0; !known.isOver; tries++) {
      try {
        const request: HomeRequest = ["subscribe", this.#ports.me, known.position];
        const answer = await this.#ports.call<HomeAnswer>(channel, topic, request);
        if (known.isOver) return this.#ports.cast(answer.home, ["unsubscribe", this.#ports.me]);
        known.home = answer.home;
        if (!this.#monitored.has(answer.home.key)) {
          this.#monitored.add(answer.home.key);
          this.#ports.monitor(answer.home);
        }
        this.#synced(known, answer);
        return;
      } catch (error) {
        if (tries === 0) this.#ports.warn(`${topic}: no home yet: ${(error as Error).message}`);
        if (tries === 0 && known.position === undefined) {
          // The clients that join now need not wait for it.
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
    // A home that has been replaced, and does not know it yet.
    if (!known.home?.equals(home)) return this.#ports.cast(home, ["unsubscribe", this.#ports.me]);
    if (position === undefined || entry.offset <= position.offset) return;
    // Messages were lost on the way, as the connection was overloaded.
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

  /** What a client that joins now has missed, when it was at `position`. */
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

  /** Messages to be kept for a home. */
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

  /** Drops the copies of topics in which nothing has happened for longer than messages are kept. */
  #expire(): void {
    this.#sweep = undefined;
    const now = this.#ports.now();
    for (const [topic, { usedAt }] of this.#copies) {
      const channel = this.#ports.channelOf(topic);
      const rules = channel && historyOf(channel.options.history);
      if (rules === undefined || now - usedAt > rules.ttl * 2) this.#copies.delete(topic);
    }
    if (this.#copies.size > 0) this.#sweep = this.#ports.after(60_000, () => this.#expire());
  }
}

/** Whether a home has ended because a later one is known. */
function isStale(error: unknown): boolean {
  const { reason } = error as { reason?: unknown };
  return typeof reason === "object" && reason !== null &&
    (reason as { shutdown?: unknown }).shutdown === STALE;
}

/** What a joining client asks for. What is malformed counts as nothing. */
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
