/**
 * Two systems with a session between them, whose frames are delivered one by one when the test
 * requests it. Everything except the stream is the production code.
 */
import { assert } from "@std/assert";
import type { Actor } from "../../lib/actor/actor.ts";
import type { Crash } from "../../lib/actor/report.ts";
import { System } from "../../lib/actor/system.ts";
import type { Inbound } from "../../lib/mesh/inbound.ts";
import { Session, type SessionLimits } from "../../lib/mesh/session.ts";
import { encodeFrame, FrameReader } from "../../lib/mesh/frame.ts";
import type { Outbound } from "../../lib/mesh/outbound.ts";
import { RemoteNodes } from "../../lib/mesh/remote_nodes.ts";
import { SessionReceiver } from "../../lib/mesh/session_receiver.ts";
import { IGNORE, type Stream } from "../../lib/host/stream.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { ManualHost } from "../kit/system.ts";
import { Collector, type Frame } from "./collector.ts";
import { metAs } from "./peer_info.ts";

/** A stream that appends frames to a list. */
class HandStream implements Stream {
  readonly isPaused = false;
  readonly remote = { hostname: "127.0.0.1", port: 1 };
  readonly peerCertificate = undefined;
  handler = IGNORE;
  unsent = 0;
  isAborted = false;
  readonly collector: Collector = new Collector();
  readonly #reader = new FrameReader(0xffff_ffff);

  write(bytes: Uint8Array): void {
    this.#reader.push(bytes.slice(), this.collector);
  }

  pause(): void {}
  resume(): void {}
  end(): void {}

  abort(): void {
    this.isAborted = true;
  }
}

const LIMITS: SessionLimits = {
  quietMs: 60_000,
  deadlineMs: 120_000,
  queueBytesMax: 64 * 1024 * 1024,
};

/** One node and its end of the session. */
export class Side {
  readonly system: System;
  readonly remote: RemoteNodes;
  readonly host: ManualHost;
  session!: Session;
  actors!: Inbound;
  /** The reason why the session ended, as text. */
  over: string | undefined;
  readonly crashes: Crash[] = [];
  #stream!: HandStream;
  #tasks: (() => void)[] = [];
  #moved = 0;

  constructor(node: string, creation: number = 1) {
    this.host = new ManualHost();
    this.system = new System({ node, creation, local: true }, this.host);
    this.remote = new RemoteNodes(this.system, 4 * 1024 * 1024);
    this.system.events.on("crash", (crash) => void this.crashes.push(crash));
  }

  /** The outbound messages to the other node. */
  get line(): Outbound {
    return this.remote.nodeLink(this.session.met.name)!;
  }

  /** The sent frames that have not been moved yet. */
  get waiting(): readonly Frame[] {
    this.flush();
    return this.#stream.collector.frames.slice(this.#moved);
  }

  /** Opens this side's end of a session. */
  open(other: Side): void {
    this.#stream = new HandStream();
    this.#moved = 0;
    this.over = undefined;
    const { node: name, creation } = other.system.home;
    const session = new SessionReceiver({
      roomSink: undefined,
      peerList: () => {},
      exposed: () => {},
      pressure: () => {},
      over: (_session, _connection, end, words) => {
        this.over = `${end}: ${words}`;
        this.actors.lost();
      },
    });
    const opened = { stream: this.#stream, reader: new FrameReader(4096) };
    this.session = new Session(metAs(name, creation), true, opened, session, LIMITS, 1000, {
      clock: this.host.clock,
      atFlush: (task) => void this.#tasks.push(task),
      yieldToIo: (task) => this.host.yieldToIo(task),
    });
    this.actors = this.remote.attach(this.session);
    session.actors = this.actors;
  }

  /** Ends a turn: flushes the written frames. */
  flush(): void {
    while (this.#tasks.length > 0) for (const task of this.#tasks.splice(0)) task();
  }

  /** Receives the next frame that the other side has sent. Returns `false` if there is none. */
  takeFrom(other: Side): boolean {
    other.flush();
    const frame = other.#stream.collector.frames[other.#moved];
    if (frame === undefined) return false;
    other.#moved++;
    this.take(frame.tag, frame.body);
    return true;
  }

  /** Drops the next frame that this side has sent and the other side has not received. */
  skip(): void {
    this.#moved++;
  }

  /** Handles a frame as if the other side had sent it. */
  take(tag: number, body: Uint8Array): void {
    if (this.over === undefined) this.#stream.handler.data(encodeFrame(tag, body));
  }

  /** Spawns an actor that does nothing: its messages stay in its mailbox. */
  actor(options: { readonly trap?: boolean; readonly name?: string } = {}): Actor {
    const name = options.name === undefined ? {} : { name: options.name };
    const pid = this.system.spawn(undefined, name, idle, []);
    const actor = this.system.find(pid.id)!;
    if (options.trap) actor.trapExit = true;
    return actor;
  }

  /** Returns the pid of an actor of the other node, as this node represents it. */
  pid({ pid }: Actor): Pid {
    return this.line.pid(pid.id);
  }

  /** Breaks the session. */
  cut(): void {
    this.session.abort("closed", "cut");
  }
}

function idle(): Promise<void> {
  return new Promise(() => {});
}

/** Creates two nodes with a session. */
export function join(): [Side, Side] {
  const one = new Side("one@h:1");
  const other = new Side("other@h:2", 2);
  one.open(other);
  other.open(one);
  return [one, other];
}

/** Delivers all frames, until none is left. */
export function moveAll(one: Side, other: Side): void {
  for (let i = 0;; i++) {
    assert(i < 1_000_000, "the frames never end");
    const moved = other.takeFrom(one);
    if (!one.takeFrom(other) && !moved) return;
  }
}
