/**
 * Tests that a node can join while another address keeps opening idle sockets on the port of its
 * peer.
 */
import { assert, assertEquals } from "@std/assert";
import { connect, type Socket } from "node:net";
import tls from "node:tls";
import { parseName } from "../../lib/mesh/name.ts";
import { PAIRS, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

/** The address of the idle sockets; nodes use 127.0.0.1. */
const ATTACKER = "127.0.0.2";

/** The number of open plain sockets, which is more than the node accepts. */
const PLAIN = 600;
const SECURE = 200;

/** The maximum time in milliseconds that a node may take to join during the attack. */
const JOIN_MS = 1_000;

/** Idle sockets to one port, reopened as soon as the node closes them. */
class IdleSockets {
  /** The number of connections made, including TLS if requested. */
  made = 0;
  /** The number of connections that the node closed. */
  ended = 0;
  readonly #open = new Set<Socket>();
  readonly #port: number;
  #isOver = false;

  constructor(port: number) {
    this.#port = port;
    for (let i = 0; i < PLAIN + SECURE; i++) this.#dial(i >= PLAIN);
  }

  #dial(secure: boolean): void {
    const tcp = connect({ host: "127.0.0.1", port: this.#port, localAddress: ATTACKER });
    this.#open.add(tcp);
    const made = (): number => this.made++;
    tcp.on("error", () => tcp.destroy());
    tcp.on("close", () => {
      this.#open.delete(tcp);
      this.ended++;
      if (!this.#isOver) this.#dial(secure);
    });
    tcp.once("connect", () => {
      if (!secure) {
        tcp.resume();
        made();
        return;
      }
      const socket = tls.connect({ socket: tcp, rejectUnauthorized: false }, made);
      socket.on("error", () => tcp.destroy());
      socket.on("close", () => tcp.destroy());
      socket.resume();
    });
  }

  async close(): Promise<void> {
    this.#isOver = true;
    for (const socket of this.#open) socket.destroy();
    await until("every idle socket is closed", () => this.#open.size === 0);
  }
}

for (const [one, other] of PAIRS) {
  test(`a node (${other}) joins within a second while another address holds hundreds of idle sockets of a node (${one})`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a", { logLevel: "error" });
      const b = await start(other, "b");
      const idle = new IdleSockets(parseName(a.name)!.port);
      try {
        await until(
          "more sockets were opened than the node accepts",
          () => idle.made > PLAIN + SECURE,
        );
        const begin = performance.now();
        assertEquals(await b.ask("connect", { name: a.name }), "up");
        const ms = performance.now() - begin;
        assert(ms < JOIN_MS, `joined after ${ms} ms, ${idle.ended} idle sockets were ended`);
        assertEquals(await a.ask("peers"), [b.name]);
      } finally {
        await idle.close();
      }
    });
  });
}
