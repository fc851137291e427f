/**
 * A TCP proxy on loopback with faults: it forwards data, silently holds it back in one or both
 * directions, or closes its connections.
 *
 *     client ───▶ port │ forth ──▶ │ target
 *             ◀────────│ ◀── back  │
 *
 * Held data is not lost: it is delivered when the path is open again, as TCP would retransmit it.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** A direction: to the target, or from it. */
export type Direction = "forth" | "back";

/** Maximum number of bytes queued in one direction before its source is paused. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** A proxy that listens on one port and forwards to another. */
export class Proxy {
  /** The target port. Without a target, new connections are closed. */
  target: number | undefined = undefined;
  /** Number of bytes forwarded in both directions. */
  bytes = 0;
  readonly #server: Server;
  readonly #blocked = new Set<Direction>();
  readonly #tubes = new Set<Tube>();

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
  }

  /** Starts a proxy on a port that the system chooses. */
  static async listen(): Promise<Proxy> {
    const proxy = new Proxy();
    const server = proxy.#server;
    await new Promise<void>((listening, failed) => {
      server.once("error", failed);
      server.listen(0, "127.0.0.1", listening);
    });
    return proxy;
  }

  /** The port of the proxy. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Number of open connections. */
  get open(): number {
    return this.#tubes.size;
  }

  /** Silently stops forwarding the data of one direction. */
  block(direction: Direction): void {
    this.#blocked.add(direction);
  }

  /** Unblocks all directions, and delivers held bytes first. */
  heal(): void {
    this.#blocked.clear();
    for (const tube of this.#tubes) tube.move();
  }

  /** Ends all connections. */
  cut(): void {
    for (const tube of [...this.#tubes]) tube.end();
  }

  /** Closes the proxy and all connections. */
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

/** One connection through a proxy: two sockets, and the data that is forwarded between them. */
class Tube {
  readonly #owner: TubeOwner;
  readonly #near: Socket;
  readonly #target: number;
  /**
   * The connection to the target. It is opened when the first data may pass, so that a blocked path
   * also blocks the connection attempt.
   */
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

  /** Forwards the data whose direction is not blocked. */
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

  /** Ends both sockets. */
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

/** The data of one connection in one direction. */
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
