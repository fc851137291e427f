import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { EMPTY } from "../../lib/base/bytes.ts";
import { RULES } from "../../lib/ws/frame.ts";
import { CloseCodeError } from "../../lib/ws/close.ts";
import { ReceiveBudget } from "../../lib/base/receive_budget.ts";
import { type ConnectionTerms, WebSocketConnection } from "../../lib/ws/websocket_connection.ts";
import { type Connection, type ConnectionHandlers, PingError } from "../../lib/ws/connection.ts";
import { Rooms } from "../../lib/ws/rooms.ts";
import { buildFrame, closePayload, type FrameShape, hex, join } from "../kit/ws_client.ts";
import { test } from "../kit/test.ts";
import { FakeStream } from "./recorder.ts";
import { termsWith } from "./terms.ts";

const CLOSE_MS = 5000;
const SILENCE = { quietMs: 10_000, deadlineMs: 20_000 };

/** One connection whose peer, clock and turns are controlled by the test. */
class Stage {
  readonly stream = new FakeStream();
  readonly log: string[] = [];
  /** Calls of the application's handlers, one line per call. */
  readonly received: string[] = [];
  readonly conn: WebSocketConnection<undefined>;
  readonly rooms: Rooms;
  now = 0;
  ended = 0;
  readonly #tasks: (() => void)[] = [];

  constructor(
    handlers: ConnectionHandlers<undefined> = {},
    terms: Partial<ConnectionTerms<undefined>> = {},
    early: Uint8Array = EMPTY,
  ) {
    this.rooms = new Rooms({ atFlush: (task) => this.#tasks.push(task) });
    const { received } = this;
    this.conn = new WebSocketConnection(
      termsWith({
        handlers: {
          open: (conn) => {
            received.push("open");
            return handlers.open?.(conn);
          },
          message: (conn, data) => {
            received.push(
              `message ${typeof data === "string" ? data : `<${data.subarray(0, 1000).join()}>`}`,
            );
            return handlers.message?.(conn, data);
          },
          close: (conn, code, reason) => {
            received.push(`close ${code} ${reason}`.trim());
            return handlers.close?.(conn, code, reason);
          },
          drain: (conn) => {
            received.push("drain");
            return handlers.drain?.(conn);
          },
        },
        rooms: this.rooms,
        log: (_level, line) => this.log.push(line.split("\n")[0]!),
        closeTimeoutMs: CLOSE_MS,
        now: () => this.now,
        later: (task) => this.#tasks.push(task),
        yieldToIo: (task) => this.#tasks.push(task),
        ended: () => this.ended++,
        ...terms,
      }),
      this.stream,
      { id: 1, data: undefined, protocol: undefined, deflate: undefined },
    );
    this.conn.start(early);
  }

  /** Delivers frames from the peer in one chunk. */
  receive(...shapes: readonly FrameShape[]): void {
    const chunk = join(...shapes.map((shape) => buildFrame(shape)));
    this.stream.handler.data(chunk);
    // Overwrites the chunk, as a host does that reuses the memory.
    chunk.fill(0xff);
  }

  /** The frames that were sent, followed by "end" if our side has ended. */
  get sent(): string[] {
    return this.stream.ended ? [...this.stream.sent, "end"] : this.stream.sent;
  }

  endTurn(): void {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) task();
  }

  /** Waits until promises have settled, and ends the turn. */
  async settle(): Promise<void> {
    for (let i = 0; i < 10; i++) await Promise.resolve();
    this.endTurn();
  }

  /** Ends and closes the stream from the peer's side. */
  hangUp(): void {
    this.stream.handler.end();
    this.stream.handler.close({ kind: "closed" });
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (e: Error) => void } {
  return Promise.withResolvers<void>();
}

test("Connection receives and sends text and binary messages", () => {
  const stage = new Stage({ message: (conn, data) => conn.send(data) });
  stage.receive({ payload: "hi" }, { opcode: 2, payload: hex("01 02") });
  assertEquals(stage.received, ["open", "message hi", "message <1,2>"]);
  assertEquals(stage.sent, ["1 hi", "2 \u0001\u0002"]);
});

test("Connection reads frames that arrived with the request after open", () => {
  const early = join(buildFrame({ payload: "a" }), buildFrame({ payload: "b" }).subarray(0, 3));
  const stage = new Stage({}, {}, early);
  stage.stream.handler.data(buildFrame({ payload: "b" }).subarray(3));
  assertEquals(stage.received, ["open", "message a", "message b"]);
});

test("Connection answers a ping with a pong, and ignores pongs", () => {
  const stage = new Stage();
  stage.receive({ opcode: 9, payload: "x" }, { opcode: 9 }, { opcode: 10, payload: "y" });
  assertEquals(stage.sent, ["10 x", "10"]);
});

test("Connection.ping rejects a payload that is too long", () => {
  const stage = new Stage();
  assertEquals([stage.conn.ping(), stage.conn.ping("é")], ["sent", "sent"]);
  assertEquals(stage.sent, ["9", "9 é"]);
  assertEquals(stage.conn.ping(new Uint8Array(125)), "sent");
  assertThrows(() => stage.conn.ping(new Uint8Array(126)), PingError, "at most 125");
});

/** Close frames of a peer: the payload, our close frame, and the call of the close handler. */
const CLOSES: readonly (readonly [what: string, Uint8Array, answer: string, received: string])[] = [
  ["1000", closePayload(1000), "8 1000", "close 1000"],
  ["1001 and a reason", closePayload(1001, "away"), "8 1001", "close 1001 away"],
  ["no code", hex(""), "8 1005", "close 1005"],
  ["4321", closePayload(4321, "é"), "8 4321", "close 4321 é"],
  ["1010", closePayload(1010), "8 1010", "close 1010"],
  ["one byte", hex("03"), `8 1002 ${RULES.closeLength.words}`, ""],
  ["1005", closePayload(1005), `8 1002 ${RULES.closeCode.words}`, ""],
  ["1006", closePayload(1006), `8 1002 ${RULES.closeCode.words}`, ""],
  ["999", closePayload(999), `8 1002 ${RULES.closeCode.words}`, ""],
  ["2999", closePayload(2999), `8 1002 ${RULES.closeCode.words}`, ""],
  ["5000", closePayload(5000), `8 1002 ${RULES.closeCode.words}`, ""],
  [
    "a reason that is not UTF-8",
    closePayload(1000, hex("ff")),
    `8 1007 ${RULES.closeReason.words}`,
    "",
  ],
];

for (const [what, payload, answer, received] of CLOSES) {
  test(`Connection answers a close with ${what}, and closes`, () => {
    const stage = new Stage();
    stage.receive({ opcode: 8, payload }, { payload: "never read" }, { opcode: 3 });
    assertEquals(stage.sent, [answer, "end"]);
    assertEquals([stage.conn.state, stage.ended], ["closing", 0]);
    assertEquals(stage.conn.send("late"), "closed");
    stage.hangUp();
    assertEquals(stage.received, ["open", received || `close ${answer.slice(2)}`]);
    assertEquals([stage.conn.state, stage.ended], ["closed", 1]);
  });
}

test("Connection.close sends one close frame, and waits for the peer's answer", () => {
  const stage = new Stage();
  stage.conn.send("last");
  stage.conn.close(4000, "enough");
  stage.conn.close(4001, "again");
  assertEquals(stage.conn.send("late"), "closed");
  assertEquals(stage.conn.ping(), "closed");
  assertEquals(stage.sent, ["1 last", "8 4000 enough"]);
  stage.receive({ payload: "crossed it" }, { opcode: 9, payload: "too" });
  stage.receive({ opcode: 8, payload: closePayload(4000, "enough") });
  assertEquals(stage.sent, ["1 last", "8 4000 enough", "end"]);
  stage.hangUp();
  assertEquals(stage.received, ["open", "close 4000 enough"]);
});

test("Connection.close throws for a code that must not be sent, and leaves the connection open", () => {
  const stage = new Stage();
  for (const code of [0, 1005, 1006, 1010, 1015, 2000, 5000]) {
    assertThrows(() => stage.conn.close(code), CloseCodeError);
  }
  assertEquals(stage.conn.state, "open");
});

test("Connection aborts a peer that does not answer the close frame by the deadline", () => {
  const stage = new Stage();
  stage.conn.close();
  stage.conn.tick(CLOSE_MS - 1);
  assertEquals(stage.stream.aborted, false);
  stage.conn.tick(CLOSE_MS);
  assertEquals(stage.received, ["open", "close 1006"]);
});

test("Connection aborts the stream if the peer does not close it after the close frames", () => {
  const stage = new Stage();
  stage.receive({ opcode: 8, payload: closePayload(1000, "bye") });
  stage.conn.tick(CLOSE_MS);
  assertEquals(stage.received, ["open", "close 1000 bye"]);
});

for (const [rule, { code, words }] of Object.entries(RULES)) {
  if (rule !== "opcode" && rule !== "text" && rule !== "tooBig") continue;
  test(`Connection closes with ${code} after a violation of the rule ${rule}, and ignores later input`, () => {
    const stage = new Stage();
    const broken = {
      opcode: { opcode: 3 },
      text: { payload: hex("ff") },
      tooBig: { opcode: 2, claims: 1001 },
    }[rule];
    stage.receive({ payload: "before" }, broken, { payload: "after" });
    stage.receive({ payload: "later" }, { opcode: 8 });
    assertEquals(stage.sent, [`8 ${code} ${words}`, "end"]);
    stage.hangUp();
    assertEquals(stage.received, ["open", "message before", `close ${code} ${words}`]);
  });
}

test("Connection reports 1006 and the reason when the stream breaks", () => {
  const stage = new Stage();
  stage.stream.handler.close({ kind: "broken", message: "reset by peer" });
  assertEquals(stage.received, ["open", "close 1006 reset by peer"]);
  assertEquals([stage.conn.state, stage.ended], ["closed", 1]);
  assertEquals(stage.conn.send("x"), "closed");
});

test("Connection reports 1006 when the peer ends without a close frame", () => {
  const stage = new Stage();
  stage.conn.join("r");
  stage.stream.handler.end();
  assertEquals([stage.conn.state, stage.sent, stage.rooms.count], ["closing", ["end"], 0]);
  stage.stream.handler.close({ kind: "closed" });
  assertEquals(stage.received, ["open", "close 1006"]);
});

test("Connection handles nothing but pings while a handler's promise is pending", async () => {
  const [first, second] = [deferred(), deferred()];
  const gates = [first, second];
  const stage = new Stage({ message: () => gates.shift()?.promise });
  stage.receive({ payload: "1" }, { payload: "2" }, { opcode: 9 }, { payload: "3" });
  assertEquals([stage.received.at(-1), stage.sent], ["message 1", ["10"]]);
  first.resolve();
  await stage.settle();
  assertEquals([stage.received.at(-1), stage.stream.isPaused], ["message 2", false]);
  assertEquals(stage.sent, ["10"]);
  second.resolve();
  await stage.settle();
  assertEquals([stage.received.at(-1), stage.stream.isPaused], ["message 3", false]);
  assertEquals(stage.sent, ["10"]);
});

test("Connection handles no message before the promise of open has settled", async () => {
  const gate = deferred();
  const stage = new Stage({ open: () => gate.promise }, {}, buildFrame({ payload: "early" }));
  assertEquals([stage.received, stage.stream.isPaused], [["open"], false]);
  gate.resolve();
  await stage.settle();
  assertEquals([stage.received, stage.stream.isPaused], [["open", "message early"], false]);
});

test("Connection that closes during a handler receives the peer's answer", async () => {
  const stage = new Stage({ message: () => new Promise(() => {}) });
  stage.receive({ payload: "1" }, { payload: "2" });
  stage.conn.close(1001);
  assertEquals(stage.sent, ["8 1001"]);
  stage.receive({ opcode: 8, payload: closePayload(1000) });
  await stage.settle();
  assertEquals([stage.sent, stage.stream.isPaused], [["8 1001", "end"], false]);
  stage.hangUp();
  assertEquals(stage.received, ["open", "message 1", "close 1000"]);
});

test("Connection closes with 1011 when a handler throws or rejects", async () => {
  for (const how of ["throws", "rejects"] as const) {
    for (const name of ["open", "message", "drain"] as const) {
      const handler = (): unknown => {
        if (how === "throws") throw new Error("oops");
        return Promise.reject(new Error("oops"));
      };
      const stage = new Stage({ [name]: handler });
      if (name === "drain") {
        stage.conn.send("x".repeat(70_000));
        stage.stream.flush();
      }
      if (name === "message") stage.receive({ payload: "1" }, { payload: "2" });
      await stage.settle();
      assertEquals(stage.sent.at(-1), "8 1011 internal error", `${name} ${how}`);
      assertEquals(stage.log, [
        `ws: the ${name} handler of connection 1 failed: Error: oops`,
      ]);
      stage.receive({ opcode: 8, payload: closePayload(1011) });
      stage.hangUp();
      assertEquals(stage.received.at(-1), "close 1011 internal error");
      assertEquals(stage.received.filter((line) => line === "message 2"), []);
    }
  }
});

test("Connection is removed although its close handler throws or rejects", async () => {
  for (
    const close of [() => Promise.reject(new Error("a")), () => {
      throw new Error("a");
    }]
  ) {
    const stage = new Stage({ close });
    stage.stream.abort();
    await stage.settle();
    assertEquals([stage.ended, stage.log.length, stage.conn.state], [1, 1, "closed"]);
  }
});

test("Connection sends a broadcast before any later message, ping or close", () => {
  const stage = new Stage();
  const { conn, rooms } = stage;
  conn.join("r");
  rooms.broadcast("r", "1");
  conn.send("2");
  rooms.broadcast("r", "3");
  conn.ping("4");
  rooms.broadcast("r", "5");
  conn.close();
  rooms.broadcast("r", "6");
  stage.endTurn();
  assertEquals(stage.sent, ["1 1", "1 2", "1 3", "9 4", "1 5", "8 1000"]);
  assertEquals([conn.rooms.size, rooms.count], [0, 0]);
});

test("Connection leaves its rooms when it is closed, and can join no more rooms", () => {
  const stage = new Stage();
  stage.conn.join("r");
  stage.conn.join("s");
  stage.conn.leave("s");
  assertEquals([...stage.conn.rooms], ["r"]);
  stage.stream.abort();
  assertEquals(stage.rooms.count, 0);
  stage.conn.join("r");
  assertEquals(stage.rooms.count, 0);
});

test("Connection over backpressureLimit sends 1013 after the queued messages", () => {
  const stage = new Stage();
  stage.conn.join("r");
  assertEquals(stage.conn.send("x".repeat(99_000)), "behind");
  assertEquals(stage.conn.send("x".repeat(2000)), "closed");
  assertEquals(stage.conn.send("y"), "closed");
  stage.rooms.broadcast("r", "z");
  assertEquals([stage.conn.state, stage.rooms.count], ["closing", 1]);
  stage.endTurn();
  assertEquals(stage.rooms.count, 0);
  assertEquals(stage.stream.frames.length, 2);
  assertEquals(stage.sent.at(-1), "8 1013 over backpressureLimit");
  stage.conn.tick(stage.now + CLOSE_MS - 1);
  assertEquals(stage.stream.aborted, false);
  stage.conn.tick(stage.now + CLOSE_MS);
  assertEquals(stage.received, ["open", "close 1013 over backpressureLimit"]);
});

test("Connection over backpressureLimit drops messages with the policy drop, and later calls drain", () => {
  const stage = new Stage({}, { backpressure: { bytesMax: 100_000, policy: "drop" } });
  stage.conn.join("r");
  stage.conn.send("x".repeat(99_000));
  assertEquals(stage.conn.send("y".repeat(2000)), "dropped");
  stage.rooms.broadcast("r", "z".repeat(2000));
  stage.endTurn();
  assertEquals([stage.conn.state, stage.received], ["open", ["open"]]);
  assertEquals(stage.stream.frames.length, 1);
  stage.stream.flush();
  assertEquals(stage.received, ["open", "drain"]);
  assertEquals(stage.conn.send("again"), "sent");
  stage.stream.flush();
  assertEquals(stage.received, ["open", "drain"]);
});

test("Connection applies the limits of a room to the messages of the room", () => {
  const stage = new Stage();
  for (const room of ["drop", "latest"] as const) {
    stage.rooms.limit(room, { backpressureLimit: 500, backpressurePolicy: room });
    stage.conn.join(room);
  }
  stage.conn.send("x".repeat(400));
  for (const round of [1, 2, 3]) {
    for (const room of ["drop", "latest"]) {
      stage.rooms.broadcast(room, `${room} ${round} ${"y".repeat(100)}`);
      stage.endTurn();
    }
  }
  assertEquals([stage.conn.state, stage.stream.frames.length], ["open", 1]);
  stage.conn.send("mine");
  stage.stream.flush();
  assertEquals(stage.sent.map((line) => line.slice(0, 11)).slice(1), ["1 mine", "1 latest 3 "]);
  assertEquals(stage.received, ["open", "drain"]);
  stage.conn.send("x".repeat(400));
  stage.rooms.limit("drop", undefined);
  stage.rooms.broadcast("drop", "y".repeat(100));
  stage.endTurn();
  assertEquals(stage.stream.frames.length, 5);
});

test("Connection sends a ping after half the idle timeout, and is aborted after the full timeout", () => {
  const stage = new Stage({}, { silence: SILENCE, tickMs: 1000 });
  for (let now = 1000; now < 20_000; now += 1000) stage.conn.tick(now);
  assertEquals(stage.sent, ["9"]);
  stage.conn.tick(20_000);
  assertEquals(stage.received, ["open", "close 1006 idle timeout"]);
});

test("Connection counts any traffic as a sign that its peer is alive", () => {
  const stage = new Stage({}, { silence: SILENCE, tickMs: 1000 });
  for (let now = 1000; now < 100_000; now += 1000) {
    if (now % 15_000 === 0) stage.receive({ opcode: 10 });
    stage.conn.tick(now);
  }
  assertEquals(stage.conn.state, "open");
});

test("Connection detects a dead peer while a handler runs", async () => {
  const gate = deferred();
  const stage = new Stage({ message: () => gate.promise }, { silence: SILENCE, tickMs: 1000 });
  stage.receive({ payload: "work" });
  for (let now = 1000; now < 100_000; now += 1000) {
    stage.conn.tick(now);
    // Pongs are read although a message is still being handled.
    if (now % 10_000 === 0) stage.receive({ opcode: 10 });
  }
  assertEquals(stage.conn.state, "open");
  gate.resolve();
  await stage.settle();
  for (let now = 100_000; now < 121_000; now += 1000) stage.conn.tick(now);
  assertEquals(stage.received.at(-1), "close 1006 idle timeout");
});

test("Connection allows each handler to use the connection that it receives", () => {
  const seen: Connection[] = [];
  const stage = new Stage({ open: (conn) => seen.push(conn), close: (conn) => seen.push(conn) });
  stage.stream.abort();
  assertEquals(seen.map((conn) => conn === stage.conn), [true, true]);
  assertEquals(stage.conn.remoteAddress, { hostname: "192.0.2.1", port: 4711 });
});

test("Connection handles many small messages of one chunk as fast with promises as without", async () => {
  const count = 20_000;
  let handled = 0;
  const stage = new Stage({
    message: () => {
      handled++;
      return Promise.resolve();
    },
  });
  const frame = buildFrame({ payload: "x".repeat(50) });
  const chunk = new Uint8Array(count * frame.length);
  for (let i = 0; i < count; i++) chunk.set(frame, i * frame.length);
  const begun = performance.now();
  stage.stream.handler.data(chunk);
  while (handled < count) await stage.settle();
  // Copying the remaining bytes for each frame would copy about 10 GB.
  assertLess(performance.now() - begun, 1500);
  assertEquals(stage.conn.state, "open");
});

const FLOODS: [string, FrameShape, FrameShape][] = [
  ["pongs", { opcode: 10, payload: "" }, { opcode: 10, payload: "" }],
  ["pings", { opcode: 9, payload: "" }, { opcode: 9, payload: "" }],
  ["empty messages", { payload: "" }, { payload: "" }],
  ["empty fragments", { payload: "", fin: false }, { opcode: 0, payload: "", fin: false }],
];

for (const [what, first, next] of FLOODS) {
  for (const closing of [false, true]) {
    test(`Connection${closing ? " that is closing" : ""} yields to other tasks while it handles many ${what}`, () => {
      const turns: (() => void)[] = [];
      const stage = new Stage({}, { yieldToIo: (task) => turns.push(task) });
      if (closing) stage.conn.close();
      const frames = Array.from({ length: 20_000 }, () => next);
      stage.receive(first, ...frames, { opcode: 8, payload: closePayload(1000) });
      let count = 0;
      for (; turns.length > 0; count++) {
        assertEquals([turns.length, stage.stream.isPaused, stage.stream.ended], [1, true, false]);
        turns.shift()!();
      }
      // Each turn handles at most 4096 frames, so four further turns are needed.
      assertEquals([count, stage.stream.isPaused, stage.stream.ended], [4, false, true]);
      stage.hangUp();
    });
  }
}

test("Connection yields to other tasks while it reads a large message", () => {
  const turns: (() => void)[] = [];
  const terms = { yieldToIo: (task: () => void) => turns.push(task), payloadBytesMax: 64 << 20 };
  let length = 0;
  const message = (_conn: unknown, data: string | Uint8Array) => length = data.length;
  const stage = new Stage({ message }, terms);
  const frame = buildFrame({ opcode: 2, payload: new Uint8Array(16 << 20) });
  stage.stream.handler.data(frame);
  let count = 0;
  for (; turns.length > 0; count++) turns.shift()!();
  assertEquals([count, length, stage.stream.isPaused], [3, 16 << 20, false]);
});

test("Connection with the most incomplete data is closed with 1013 over the shared limit", () => {
  const incomplete = new ReceiveBudget(1_500);
  const begin = (length: number) => ({ opcode: 2, fin: false, payload: new Uint8Array(length) });
  const more = (length: number, fin = true) => ({
    opcode: 0,
    fin,
    payload: new Uint8Array(length).fill(7),
  });
  const [large, small, other] = [1, 2, 3].map(() => new Stage({}, { incomplete }));
  large!.receive(begin(900));
  small!.receive(begin(400));
  assertEquals([incomplete.bytes, large!.sent.length], [1_300, 0]);
  other!.receive(begin(300));
  const { code, words } = RULES.tooMuch;
  assertEquals([incomplete.bytes, large!.sent], [700, [`8 ${code} ${words}`, "end"]]);
  // Further frames of the message are ignored.
  large!.receive(more(99));
  large!.receive({ payload: "later" });
  large!.hangUp();
  assertEquals(large!.received, ["open", `close ${code} ${words}`]);
  assertEquals(incomplete.bytes, 700);
  // The connection that exceeds the budget may itself be the one that holds the most.
  other!.receive(more(690, false));
  small!.receive(more(300, false));
  assertEquals([other!.sent, small!.sent], [[`8 ${code} ${words}`, "end"], []]);
  small!.receive(more(1));
  assertEquals(small!.received.length, 2);
  assertEquals(incomplete.bytes, 0);
  small!.receive(begin(5));
  other!.hangUp();
  small!.hangUp();
  assertEquals(incomplete.bytes, 0);
});
