/**
 * A way to a node that a test can break: a TCP proxy on loopback that forwards, or holds everything back
 * without a word and without closing, in one direction or both, or cuts its connections.
 *
 *     dialler ──▶ port │ forth ──▶ │ target
 *             ◀────────│ ◀── back  │
 *
 * What is held back is not lost: it comes when the way is open again, as TCP would send it again.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** One direction: towards the target, or from it. */
export type Direction = "forth" | "back";

/** Maximum number of bytes that may wait in one direction before its source is paused. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** A port that leads to another. */
export class Proxy {
  /** The target. Without one, connections are closed. */
  target: number | undefined = undefined;
  /** The bytes that went through, both ways. */
  bytes = 0;
  readonly #server: Server;
  readonly #blocked = new Set<Direction>();
  readonly #tubes = new Set<Tube>();

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
  }

  /** One that listens, on a port of the system's choice. */
  static async listen(): Promise<Proxy> {
    const proxy = new Proxy();
    const server = proxy.#server;
    await new Promise<void>((listening, failed) => {
      server.once("error", failed);
      server.listen(0, "127.0.0.1", listening);
    });
    return proxy;
  }

  /** Where it listens. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many connections go through it. */
  get open(): number {
    return this.#tubes.size;
  }

  /** Blocks a direction silently. */
  block(direction: Direction): void {
    this.#blocked.add(direction);
  }

  /** Unblocks all, beginning with held bytes. */
  heal(): void {
    this.#blocked.clear();
    for (const tube of this.#tubes) tube.move();
  }

  /** Ends the connections. */
  cut(): void {
    for (const tube of [...this.#tubes]) tube.end();
  }

  /** Ends everything. */
  async close(): Promise<void> {
    const closed = new Promise<void>((closed) => this.#server.close(() => closed()));
    this.cut();
    await closed;
  }

  #accept(near: Socket): void {
    const { target } = this;
    if (target === undefined) return void near.destroy();
    const tube = new Tube(near, target, {
      isBlocked: (direction) => this.#blocked.has(direction),
      passed: (bytes) => void (this.bytes += bytes),
      ended: () => void this.#tubes.delete(tube),
    });
    this.#tubes.add(tube);
    tube.move();
  }
}

interface TubeOwner {
  isBlocked(direction: Direction): boolean;
  passed(bytes: number): void;
  ended(): void;
}

/** One connection through a proxy: two sockets and what is between them. */
class Tube {
  readonly #owner: TubeOwner;
  readonly #near: Socket;
  readonly #target: number;
  /** Dialled when the first thing may pass: before that not even the wish to connect does. */
  #far: Socket | undefined;
  readonly #forth: Flow;
  readonly #back: Flow;
  #isOver = false;

  constructor(near: Socket, target: number, owner: TubeOwner) {
    this.#owner = owner;
    this.#near = near;
    this.#target = target;
    this.#forth = new Flow(owner);
    this.#back = new Flow(owner);
    near.setNoDelay(true);
    this.#listen(near, "forth", this.#forth);
  }

  /** Passes on what may pass. */
  move(): void {
    if (this.#isOver) return;
    if (!this.#owner.isBlocked("forth")) {
      if (this.#far === undefined) {
        this.#far = connect({ host: "127.0.0.1", port: this.#target, allowHalfOpen: true });
        this.#far.setNoDelay(true);
        this.#listen(this.#far, "back", this.#back);
      }
      this.#forth.pass(this.#near, this.#far);
    }
    if (!this.#owner.isBlocked("back") && this.#far !== undefined) {
      this.#back.pass(this.#far, this.#near);
    }
    if (this.#forth.isDone && this.#back.isDone) this.end();
  }

  /** Ends both sides. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#near.destroy();
    this.#far?.destroy();
    this.#owner.ended();
  }

  #listen(source: Socket, direction: Direction, flow: Flow): void {
    source.on("data", (chunk: Uint8Array) => {
      flow.take(source, chunk, this.#owner.isBlocked(direction));
      this.move();
    });
    source.on("drain", () => this.move());
    source.on("error", () => flow.break());
    source.on("end", () => {
      flow.end();
      this.move();
    });
    source.on("close", () => {
      flow.break();
      this.move();
    });
  }
}

/** What goes in one direction. */
class Flow {
  readonly #owner: TubeOwner;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  /** Whether the source has ended or closed. */
  #state: "open" | "ended" | "broken" = "open";
  #isShut = false;

  constructor(owner: TubeOwner) {
    this.#owner = owner;
  }

  /** Whether the target was notified that the source has closed. */
  get isDone(): boolean {
    return this.#isShut && this.#state === "broken";
  }

  take(source: Socket, chunk: Uint8Array, isBlocked: boolean): void {
    this.#waiting.push(chunk);
    this.#bytes += chunk.length;
    if (isBlocked || this.#bytes > WAITING_BYTES_MAX) source.pause();
  }

  end(): void {
    if (this.#state === "open") this.#state = "ended";
  }

  break(): void {
    this.#state = "broken";
  }

  pass(source: Socket, target: Socket): void {
    while (this.#waiting.length > 0) {
      if (target.destroyed) {
        this.#waiting = [];
        break;
      }
      if (target.writableNeedDrain) return;
      const chunk = this.#waiting.shift()!;
      this.#bytes -= chunk.length;
      this.#owner.passed(chunk.length);
      target.write(chunk);
    }
    this.#bytes = 0;
    if (this.#state === "open") source.resume();
    else if (!this.#isShut) {
      this.#isShut = true;
      target.end();
    }
  }
}
