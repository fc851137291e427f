/**
 * Promise: a client of a topic with history that is notified of its recovery has missed no message,
 * whichever node it reconnects to; all clients receive the same order; and without faults, each
 * message reaches each client once.
 */
import { channel } from "../../../lib/channel/channel.ts";
import { ChannelConnection } from "../../../lib/channel/connection.ts";
import type { Hub } from "../../../lib/channel/hub.ts";
import { startHub } from "../../../lib/channel/start.ts";
import type { Member } from "../../../lib/ws/room.ts";
import type { MakePromise } from "../chaos.ts";
import { ChannelChecker } from "../checkers/channels.ts";

const TOPIC = "log";
const CLIENTS = ["ann", "bob", "eve"];
/** The number of messages sent after the faults. */
const AT_REST = 20;

interface Place {
  readonly epoch: string;
  readonly offset: number;
}

/** A client that reconnects to any node from its last position. */
class Client {
  readonly name: string;
  readonly #checker: ChannelChecker;
  short: string | undefined;
  #connection: ChannelConnection | undefined;
  #position: Place | undefined;
  #ref = 0;
  /** Whether the server has answered its last join. */
  isJoined = false;

  constructor(name: string, checker: ChannelChecker) {
    this.name = name;
    this.#checker = checker;
  }

  join(short: string, hub: Hub): void {
    this.leave();
    this.short = short;
    const ref = `${++this.#ref}`;
    const member: Member = {
      sendShared: (frames, room) => {
        for (const message of room.messages(frames)) this.#got(ref, String(message));
      },
    };
    this.#connection = new ChannelConnection(hub, {
      member,
      data: undefined,
      connection: undefined,
      send: (data) => this.#got(ref, String(data)),
      close: () => {},
    }, undefined);
    void this.#connection.received(
      JSON.stringify([ref, ref, TOPIC, "phx_join", {}, { ...this.#position }]),
    );
  }

  /** Closes the connection. Its node may have ended. */
  leave(): void {
    this.isJoined = false;
    this.short = undefined;
    this.#connection?.closed();
    this.#connection = undefined;
  }

  #got(ref: string, text: string): void {
    if (ref !== `${this.#ref}` || this.short === undefined) return;
    const [, , , event, payload, details] = JSON.parse(text);
    if (event === "phx_reply") {
      if (payload.status !== "ok") return this.leave();
      this.isJoined = true;
      const { epoch, offset, recovered, missed } = details as
        & Place
        & { recovered?: boolean; missed: number };
      if (recovered === true) this.#checker.recovered(this.name, epoch);
      else this.#checker.lost(this.name);
      if (missed === 0 || recovered !== true) this.#position = { epoch, offset };
    } else if (event === "firn_lost") {
      this.#checker.lost(this.name);
      this.#position = { epoch: payload.epoch, offset: payload.offset };
    } else if (event === "m") {
      const { epoch, offset } = details as Place;
      this.#position = { epoch, offset };
      this.#checker.received(this.name, { epoch, offset, message: payload as number });
    }
  }
}

export const channels: MakePromise = ({ parts, pick, sim }) => {
  const checker = new ChannelChecker();
  const hubs = new Map<string, Hub>();
  const clients = CLIENTS.map((name) => new Client(name, checker));
  const log = channel(TOPIC, { history: { size: 1_000, ttl: 3_600_000, copies: 2 } });
  const owed: number[] = [];
  let messages = 0;

  const publish = (isOwed: boolean): void => {
    const hub = pick([...hubs.values()]);
    if (hub === undefined) return;
    const message = ++messages;
    if (isOwed) owed.push(message);
    hub.broadcast(TOPIC, "m", message).then(
      (place) => checker.placed("the sender", { ...place!, message }),
      (error) => {
        if (isOwed) {
          checker.broken.push(`message ${message} was rejected at rest: ${error.message}`);
        }
      },
    );
  };
  const place = (client: Client): void => {
    if (hubs.size === 0) return;
    const short = pick([...hubs.keys()]);
    client.join(short, hubs.get(short)!);
  };

  return {
    name: "channels",
    up(short) {
      const own = parts(short)!;
      const hub = startHub({ ...own, turn: own.host });
      hub.define(log);
      hubs.set(short, hub);
    },
    down(short) {
      hubs.delete(short);
      for (const client of clients) if (client.short === short) client.leave();
    },
    act() {
      for (let i = sim.random.below(3); i > 0; i--) publish(false);
      for (const client of clients) {
        if (client.short === undefined || sim.random.next() < 0.03) place(client);
      }
    },
    rest() {
      for (const client of clients) place(client);
      void sim.run(8_000).then(() => {
        for (let i = 0; i < AT_REST; i++) publish(true);
      });
    },
    check() {
      for (const client of clients) {
        if (!client.isJoined) throw new Error(`${client.name} has not joined`);
      }
      checker.check(CLIENTS, owed);
    },
  };
};
