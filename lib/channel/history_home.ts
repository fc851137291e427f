/**
 * Implements the actor that keeps the history of one topic, on the topic's home node.
 *
 *     publish ─▶ offset ─▶ copies on other nodes ─▶ acknowledged ─▶ subscribed nodes, publisher
 *
 * A message is delivered after all copies have acknowledged it. Each copy therefore contains all
 * messages that any client has received. A node that takes over continues after the last message of
 * its copy. A copy that does not acknowledge in time is replaced, if there is another node.
 *
 * @module
 */
import { Call } from "../actor/call.ts";
import { Down } from "../actor/exit.ts";
import type { Self } from "../actor/self.ts";
import type { Pid, Ref } from "../term/pid.ts";
import type { Position } from "./channel.ts";
import { aged, isAhead, type LogEntry, type LogState, TopicLog } from "./topic_log.ts";

/** Time after which a copy that has not acknowledged a message is replaced, in milliseconds. */
const COPY_MS = 2_000;

/**
 * Time after which the whole state is sent again to a copy that has not acknowledged a message and
 * cannot be replaced, in milliseconds.
 */
const RESEND_MS = 10_000;

/** Time limit for other nodes to send their copies when the actor starts, in milliseconds. */
const COLLECT_MS = 2_000;

/** Maximum number of unacknowledged messages. Further messages are rejected. */
const UNCOMMITTED_MAX = 10_000;

/** Requests of hubs to the actor of a topic, which keeps the topic's history. */
export type HomeRequest =
  | readonly ["publish", frame: string | Uint8Array, except: LogEntry["except"]]
  /**
   * Subscribes the hub to the messages after `position`. Without a position, subscribes after the
   * last message.
   */
  | readonly ["subscribe", hub: Pid, position: Position | undefined]
  /** Reads the messages after a position, or the last messages, for a client. */
  | readonly ["read", position: Position | undefined, recent: number];

/** The reply to a subscription or a read. */
export interface HomeAnswer {
  readonly home: Pid;
  /** Position of the last message that all copies have acknowledged. */
  readonly position: Position;
  readonly recovered: boolean;
  readonly reason?: string | undefined;
  readonly missed: readonly LogEntry[];
}

/** Messages from the actor to hubs. */
export type HomeMessage =
  /** Messages for the clients of a topic. */
  | readonly ["entries", topic: string, home: Pid, epoch: string, entries: readonly LogEntry[]]
  /** Messages to append to a copy, or a state that replaces the copy. */
  | readonly [
    "copy",
    topic: string,
    home: Pid,
    epoch: number,
    update: LogState | readonly LogEntry[],
  ];

/** Messages of hubs to the actor. */
export type HomeCast =
  | readonly ["copied", hub: Pid, last: number]
  /** Reports that the hub has data of a later epoch. */
  | readonly ["stale", hub: Pid, epoch: number]
  | readonly ["unsubscribe", hub: Pid]
  | readonly ["keep"];

/** The options of a history, and the functions of the node that the actor of a topic uses. */
export interface HomePorts {
  readonly size: number;
  readonly ttl: number;
  readonly copies: number;
  /** Returns the time in milliseconds. */
  now(): number;
  /** Returns an identifier that is unique in the cluster. */
  newId(): string;
  /** Returns the hubs of other nodes, which may have a copy of a topic. */
  hubs(): readonly Pid[];
  /**
   * Returns the hubs of other nodes that have defined the topic's channel, in order of preference.
   */
  keepers(topic: string): readonly Pid[];
  /** Returns the copy of a topic that this node keeps. */
  ownCopy(topic: string): LogState | undefined;
  /** Sends a message to a hub. */
  sendToHub(hub: Pid, message: HomeMessage): void;
  /** Fetches the copy of a topic from a hub. */
  fetchCopy(hub: Pid, topic: string, timeout: number): Promise<LogState | undefined>;
}

interface Copy {
  readonly hub: Pid;
  /** Offset of the last message that this copy has acknowledged. */
  last: number;
  /**
   * The time at which this node began to wait for the copy's acknowledgement. Undefined if it does
   * not wait.
   */
  since: number | undefined;
}

/** The state and the message handlers of the actor. */
class HistoryHome {
  readonly #self: Self<unknown>;
  readonly #topic: string;
  readonly #ports: HomePorts;
  readonly #log: TopicLog;
  readonly #subscribers = new Map<string, { hub: Pid; ref: Ref }>();
  readonly #copies = new Map<string, Copy>();
  /**
   * Nodes that did not acknowledge in time, each with the time until which other nodes are
   * preferred.
   */
  readonly #slow = new Map<string, number>();
  readonly #waiting: { offset: number; call: Call<HomeRequest, unknown> }[] = [];
  #committed: number;
  #isChecking = false;
  #handing: Call<unknown, LogState> | undefined;

  constructor(
    self: Self<unknown>,
    topic: string,
    ports: HomePorts,
    state: LogState,
  ) {
    this.#self = self;
    this.#topic = topic;
    this.#ports = ports;
    this.#log = new TopicLog(state, ports, ports.now());
    // A new epoch begins even after a move: if the reply with the state was lost, the previous home
    // continues with the old epoch.
    this.#log.begin(ports.newId());
    this.#committed = this.#log.last;
    this.#chooseCopies();
  }

  /** Replies with the state for the next home when all messages have been acknowledged. */
  handOver(call: Call<unknown, LogState>): void {
    if (this.#waiting.length === 0) return call.reply(this.state());
    this.#handing = call;
  }

  /** Returns the state for the next home. */
  state(): LogState {
    return this.#log.state(this.#ports.now());
  }

  received(message: unknown): void {
    if (message instanceof Call) return this.#asked(message as Call<HomeRequest, unknown>);
    if (message instanceof Down) return this.#down(message.pid.node);
    if (message === CHECK) return this.#check();
    if (!Array.isArray(message)) return;
    const [kind, hub, number] = message as [string, Pid, number];
    const node = hub?.node;
    switch (kind) {
      case "copied": {
        const copy = this.#copies.get(node);
        if (copy === undefined || number <= copy.last) return;
        copy.last = number;
        copy.since = number < this.#log.last ? this.#ports.now() : undefined;
        return this.#commit();
      }
      case "stale":
        if (number > this.#log.epoch.number) this.#self.exit({ shutdown: STALE });
        return;
      case "unsubscribe":
        return this.#unsubscribe(node);
    }
  }

  #asked(call: Call<HomeRequest, unknown>): void {
    const { request } = call;
    const now = this.#ports.now();
    switch (request[0]) {
      case "publish": {
        if (this.#waiting.length >= UNCOMMITTED_MAX) {
          return call.refuse(new Error("too many messages wait for copies of the history"));
        }
        this.#chooseCopies();
        const entry = this.#log.append(request[1], now, request[2]);
        this.#waiting.push({ offset: entry.offset, call });
        for (const copy of this.#copies.values()) {
          copy.since ??= now;
          this.#ports.sendToHub(copy.hub, [
            "copy",
            this.#topic,
            this.#self.pid as Pid,
            this.#log.epoch.number,
            aged([entry], now),
          ]);
        }
        this.#commit();
        return this.#checkLater();
      }
      case "subscribe": {
        const [, hub, position] = request;
        if (!this.#subscribers.has(hub.node)) {
          this.#subscribers.set(hub.node, { hub, ref: this.#self.monitor(hub) });
        }
        return call.reply(this.#answer(position, 0));
      }
      case "read":
        return call.reply(this.#answer(request[1], request[2]));
    }
  }

  #answer(position: Position | undefined, recent: number): HomeAnswer {
    const now = this.#ports.now();
    const to = this.#committed;
    const home = this.#self.pid as Pid;
    const last = { epoch: this.#log.epoch.id, offset: to };
    if (position === undefined) {
      const missed = recent > 0 ? this.#log.recent(recent, to, now) : [];
      return { home, position: last, recovered: true, missed };
    }
    const answer = this.#log.after(position, to, now);
    if (answer.recovered) return { home, position: last, ...answer };
    const missed = recent > 0 ? this.#log.recent(recent, to, now) : [];
    return { home, position: last, ...answer, missed };
  }

  /** Delivers the messages that all copies have acknowledged, and answers their publishers. */
  #commit(): void {
    let to = this.#log.last;
    for (const { last } of this.#copies.values()) to = Math.min(to, last);
    if (to <= this.#committed) return;
    const entries = this.#log.slice(this.#committed, to);
    this.#committed = to;
    const epoch = this.#log.epoch.id;
    for (const { hub } of this.#subscribers.values()) {
      this.#ports.sendToHub(hub, ["entries", this.#topic, this.#self.pid as Pid, epoch, entries]);
    }
    while (this.#waiting.length > 0 && this.#waiting[0]!.offset <= to) {
      const { offset, call } = this.#waiting.shift()!;
      call.reply({ epoch, offset });
    }
    if (this.#handing !== undefined && this.#waiting.length === 0) {
      this.#handing.reply(this.state());
      this.#handing = undefined;
    }
  }

  #chooseCopies(): void {
    const { copies } = this.#ports;
    if (this.#copies.size >= copies - 1) return;
    for (const hub of this.#candidates().sort((a, b) => this.#slowUntil(a) - this.#slowUntil(b))) {
      if (this.#copies.size >= copies - 1) break;
      const copy: Copy = { hub, last: -1, since: undefined };
      this.#copies.set(hub.node, copy);
      this.#sendState(copy);
      this.#self.monitor(hub);
      this.#checkLater();
    }
  }

  #checkLater(): void {
    if (this.#isChecking || this.#copies.size === 0) return;
    this.#isChecking = true;
    this.#self.sendAfter(this.#self.pid, CHECK, COPY_MS / 2);
  }

  /**
   * Replaces the copies that have not acknowledged a message in time. If no other node can take
   * over, the copy stays and messages wait for it, because its node is still connected.
   */
  #check(): void {
    this.#isChecking = false;
    const now = this.#ports.now();
    let owes = false;
    for (const [node, copy] of [...this.#copies]) {
      if (copy.since === undefined) continue;
      const lateMs = now - copy.since;
      if (lateMs >= COPY_MS && this.#candidates().some((hub) => this.#slowUntil(hub) === 0)) {
        this.#slow.set(node, now + 10 * COPY_MS);
        this.#copies.delete(node);
        this.#chooseCopies();
        continue;
      }
      owes = true;
      // A message to this copy may have been dropped. The whole state is therefore sent again.
      if (lateMs >= RESEND_MS) this.#sendState(copy);
    }
    this.#commit();
    if (owes) this.#checkLater();
  }

  /** Returns the hubs that have no copy, in order of preference. */
  #candidates(): Pid[] {
    return this.#ports.keepers(this.#topic).filter(({ node }) => !this.#copies.has(node));
  }

  /**
   * Returns the time until which other hubs are preferred to this one. Returns 0 if the hub was not
   * slow.
   */
  #slowUntil({ node }: Pid): number {
    const until = this.#slow.get(node) ?? 0;
    return until > this.#ports.now() ? until : 0;
  }

  #sendState(copy: Copy): void {
    copy.since = this.#ports.now();
    this.#ports.sendToHub(copy.hub, [
      "copy",
      this.#topic,
      this.#self.pid as Pid,
      this.#log.epoch.number,
      this.state(),
    ]);
  }

  #down(node: string): void {
    this.#unsubscribe(node);
    if (!this.#copies.delete(node)) return;
    this.#chooseCopies();
    this.#commit();
  }

  #unsubscribe(node: string): void {
    const known = this.#subscribers.get(node);
    if (known === undefined) return;
    this.#subscribers.delete(node);
    this.#self.demonitor(known.ref);
  }
}

/**
 * A replaced actor exits with the reason `{ shutdown: STALE }`, because another node has data of a
 * later epoch.
 */
export const STALE = "stale";

/** The message that a timer sends to the actor, to check the copies. */
const CHECK = "check";

/** The request for the state of the previous home. */
export const HAND_OVER = "hand over";

/**
 * Runs in the actor, and returns its message handler. `handed` is the state of the previous home.
 * Without it, the actor requests the copies of other nodes, and uses the most advanced one. Begins
 * a new epoch.
 */
export function historyHome(
  self: Self<unknown>,
  topic: string,
  ports: HomePorts,
  handed: LogState | undefined,
): (message: unknown) => unknown {
  let home = handed && new HistoryHome(self, topic, ports, handed);
  const collect = async (): Promise<HistoryHome> => {
    let best: LogState = ports.ownCopy(topic) ?? { epochs: [], entries: [], last: 0 };
    const fetched = ports.hubs().map((hub) =>
      ports.fetchCopy(hub, topic, COLLECT_MS).then((state) => {
        if (state !== undefined && isAhead(state, best)) best = state;
      }, () => {})
    );
    await Promise.all(fetched);
    return new HistoryHome(self, topic, ports, best);
  };
  return (message) => {
    const handle = (known: HistoryHome): void => {
      if (message instanceof Call && message.request === HAND_OVER) known.handOver(message);
      else known.received(message);
    };
    if (home !== undefined) return handle(home);
    return collect().then((collected) => handle(home ??= collected));
  };
}
