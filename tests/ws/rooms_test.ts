import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import { encodeMessage } from "../../lib/ws/frame.ts";
import { type Relay, Rooms } from "../../lib/ws/rooms.ts";
import { type Member, RoomError, type RoomMessage } from "../../lib/ws/room.ts";
import { bytesOf, readFrames } from "../kit/ws_client.ts";
import { test } from "../kit/test.ts";

/** A member that records the frames that it receives. */
class Listener implements Member {
  readonly handed: Uint8Array[] = [];

  sendShared(frames: Uint8Array): void {
    this.handed.push(frames);
  }

  /** The messages, in order; binary ones in angle brackets. */
  get got(): string[] {
    return this.handed.flatMap((bytes) =>
      readFrames(bytes).frames.map(({ opcode, payload }) => {
        const text = new TextDecoder().decode(payload);
        return opcode === 1 ? text : `<${text}>`;
      })
    );
  }
}

/** Rooms whose turns are ended by the test. */
class Stage {
  readonly tasks: (() => void)[] = [];
  readonly rooms: Rooms;

  constructor(roomsMax?: number) {
    this.rooms = new Rooms({ atFlush: (task) => this.tasks.push(task) }, { roomsMax });
  }

  /** Creates members of a room. */
  members(count: number, room: string = "r"): Listener[] {
    return Array.from({ length: count }, () => {
      const listener = new Listener();
      this.rooms.join(room, listener);
      return listener;
    });
  }

  endTurn(): void {
    for (const task of this.tasks.splice(0)) task();
  }
}

test("Rooms.join and Rooms.leave update the counts of rooms and members", () => {
  const { rooms } = new Stage();
  const [a, b] = [new Listener(), new Listener()];
  rooms.join("r", a);
  rooms.join("r", a);
  rooms.join("r", b);
  rooms.join("s", a);
  assertEquals([rooms.count, rooms.members("r").size, rooms.members("s").size], [2, 2, 1]);
  assertEquals([...rooms.of(a)], ["r", "s"]);
  rooms.leave("r", a);
  rooms.leave("r", a);
  rooms.leave("nowhere", a);
  assertEquals([...rooms.members("r")], [b]);
  rooms.leaveAll(a);
  rooms.leaveAll(a);
  rooms.leave("r", b);
  assertEquals([rooms.count, rooms.of(a).size, rooms.members("r").size], [0, 0, 0]);
});

test("Rooms.broadcast passes the same bytes to every member once per turn", () => {
  const stage = new Stage();
  const [a, b] = stage.members(2);
  stage.rooms.broadcast("r", "one");
  stage.rooms.broadcast("r", bytesOf("two"));
  assertEquals([a!.handed.length, stage.tasks.length], [0, 1]);
  stage.endTurn();
  assertEquals([a!.got, b!.got], [["one", "<two>"], ["one", "<two>"]]);
  assertStrictEquals(a!.handed[0], b!.handed[0]);
  assertEquals(a!.handed.length, 1);
});

test("Rooms schedules one flush per turn for any number of broadcasts", () => {
  const stage = new Stage();
  stage.members(1);
  stage.members(1, "s");
  for (const room of ["r", "s", "r"]) stage.rooms.broadcast(room, "x");
  assertEquals(stage.tasks.length, 1);
  stage.endTurn();
  stage.rooms.broadcast("r", "x");
  assertEquals(stage.tasks.length, 1);
});

test("Rooms.broadcast does not change bytes that it has passed to members before", () => {
  const stage = new Stage();
  const [a] = stage.members(1);
  stage.rooms.broadcast("r", "one");
  stage.endTurn();
  stage.rooms.broadcast("r", "two");
  stage.endTurn();
  assertEquals(a!.got, ["one", "two"]);
});

test("Rooms.broadcast copies the given bytes", () => {
  const stage = new Stage();
  const [a] = stage.members(1);
  const [small, large] = [bytesOf("s"), new Uint8Array(100_000).fill(115)];
  stage.rooms.broadcast("r", small);
  stage.rooms.broadcast("r", large);
  small.fill(0);
  large.fill(0);
  stage.endTurn();
  assertEquals(a!.got, ["<s>", `<${"s".repeat(100_000)}>`]);
});

test("Rooms.broadcast reaches no member of another room", () => {
  const stage = new Stage();
  const [a] = stage.members(1, "s");
  stage.rooms.broadcast("r", "x");
  stage.rooms.broadcastFrom(a!, "r", "x");
  assertEquals(stage.tasks.length, 0);
  assertEquals(a!.got, []);
});

test("Rooms.broadcastFrom skips its sender in a batch with other messages", () => {
  const stage = new Stage();
  const [a, b, c] = stage.members(3);
  stage.rooms.broadcastFrom(a!, "r", "1 from a");
  stage.rooms.broadcast("r", "2");
  stage.rooms.broadcastFrom(b!, "r", "3 from b");
  stage.rooms.broadcastFrom(a!, "r", "4 from a");
  stage.endTurn();
  assertEquals(a!.got, ["2", "3 from b"]);
  assertEquals(b!.got, ["1 from a", "2", "4 from a"]);
  assertEquals(c!.got, ["1 from a", "2", "3 from b", "4 from a"]);
  assertEquals(c!.handed.length, 1);
  assertEquals([a, b].flatMap((each) => each!.handed).filter(({ length }) => length === 0), []);
  stage.rooms.broadcast("r", "5");
  stage.endTurn();
  assertEquals(a!.got.at(-1), "5");
});

test("Rooms.broadcastFrom accepts a sender that is not a member", () => {
  const stage = new Stage();
  const [a] = stage.members(1);
  stage.rooms.broadcastFrom(new Listener(), "r", "x");
  stage.endTurn();
  assertEquals(a!.got, ["x"]);
});

test("Rooms.broadcastFrom skips its sender for a message that is larger than a batch", () => {
  const stage = new Stage();
  const [a, b] = stage.members(2);
  const large = "x".repeat(100_000);
  stage.rooms.broadcast("r", "before");
  stage.rooms.broadcastFrom(a!, "r", large);
  stage.rooms.broadcast("r", "after");
  stage.endTurn();
  assertEquals(a!.got, ["before", "after"]);
  assertEquals(b!.got, ["before", large, "after"]);
});

test("Rooms.join delivers no earlier broadcast to the new member", () => {
  const stage = new Stage();
  const [a] = stage.members(1);
  const late = new Listener();
  stage.rooms.broadcast("r", "before");
  stage.rooms.join("r", late);
  stage.rooms.broadcast("r", "after");
  stage.endTurn();
  assertEquals([a!.got, late.got], [["before", "after"], ["after"]]);
});

test("Rooms.leave delivers all earlier broadcasts to the leaving member", () => {
  for (const leave of ["leave", "leaveAll"] as const) {
    const stage = new Stage();
    const [a, b] = stage.members(2);
    stage.rooms.broadcast("r", "before");
    if (leave === "leave") stage.rooms.leave("r", a!);
    else stage.rooms.leaveAll(a!);
    stage.rooms.broadcast("r", "after");
    stage.endTurn();
    assertEquals([a!.got, b!.got], [["before"], ["before", "after"]], leave);
  }
});

test("Rooms.settle delivers the pending broadcasts of the member's rooms", () => {
  const stage = new Stage();
  const [a] = stage.members(1);
  const [b] = stage.members(1, "s");
  stage.rooms.broadcast("r", "x");
  stage.rooms.settle(b!);
  assertEquals(a!.handed.length, 0);
  stage.rooms.settle(a!);
  assertEquals(a!.got, ["x"]);
  stage.endTurn();
  assertEquals(a!.got, ["x"]);
});

test("Rooms keeps the order of broadcasts for every member, whatever happens in a turn", () => {
  const random = new SeededRandom(11);
  for (let round = 0; round < 300; round++) {
    const stage = new Stage();
    const { rooms } = stage;
    const names = ["r", "s", "t"];
    const listeners = Array.from({ length: 4 }, () => new Listener());
    const expected = listeners.map((): string[] => []);
    for (let step = 0; step < 40; step++) {
      const who = random.below(4);
      const member = listeners[who]!;
      const room = names[random.below(3)]!;
      const message = random.below(20) === 0 ? `${step} ${"x".repeat(25_000)}` : `${step}`;
      const all = (except: number): void =>
        listeners.forEach((each, i) => {
          if (i !== except && rooms.members(room).has(each)) expected[i]!.push(message);
        });
      switch (random.below(6)) {
        case 0:
          rooms.join(room, member);
          break;
        case 1:
          rooms.leave(room, member);
          break;
        case 2:
          // Sends directly to the member, as a connection does.
          rooms.settle(member);
          member.handed.push(encodeMessage(message));
          expected[who]!.push(message);
          break;
        case 3:
          all(who);
          rooms.broadcastFrom(member, room, message);
          break;
        case 4:
          if (random.below(4) === 0) stage.endTurn();
          break;
        default:
          all(-1);
          rooms.broadcast(room, message);
      }
    }
    stage.endTurn();
    listeners.forEach(({ got }, i) =>
      assertEquals(got, expected[i], `round ${round}, member ${i}`)
    );
  }
});

test("Rooms starts a new batch when a batch is full", () => {
  const stage = new Stage();
  const [a] = stage.members(1);
  const messages = Array.from({ length: 200 }, (_, i) => `${i} ${"x".repeat(1000)}`);
  for (const message of messages) stage.rooms.broadcast("r", message);
  assert(a!.handed.length >= 2);
  stage.endTurn();
  assertEquals(a!.got, messages);
  assert(a!.handed.every(({ length }) => length <= 64 * 1024));
});

/** Creates a relay that records the rooms that are joined and left. */
function relay(broadcast: Relay["broadcast"], changes: string[] = []): Relay {
  return {
    broadcast,
    joined: (room) => changes.push(`+${room}`),
    left: (room) => changes.push(`-${room}`),
    announced: () => Promise.resolve(["late"]),
  };
}

test("Rooms notifies the relay when the first member joins a room and when the last member leaves", async () => {
  const { rooms } = new Stage();
  const changes: string[] = [];
  rooms.relay = relay(() => {}, changes);
  const [a, b] = [new Listener(), new Listener()];
  rooms.join("r", a);
  rooms.join("r", a);
  rooms.join("r", b);
  rooms.leave("r", a);
  rooms.leave("r", a);
  assertEquals(changes, ["+r"]);
  rooms.leaveAll(b);
  rooms.join("r", a);
  assertEquals(changes, ["+r", "-r", "+r"]);
  assertEquals(await rooms.announced(), { missing: ["late"] });
});

test("Rooms passes local broadcasts to the relay, but not those that come from the relay", () => {
  const stage = new Stage();
  const [a] = stage.members(1);
  const relayed: [string, RoomMessage][] = [];
  stage.rooms.relay = relay((room, data) => relayed.push([room, data]));
  stage.rooms.broadcast("r", "1");
  stage.rooms.broadcastFrom(a!, "r", "2");
  stage.rooms.broadcast("elsewhere", "3");
  stage.rooms.deliver("r", "4");
  stage.endTurn();
  assertEquals(relayed, [["r", "1"], ["r", "2"], ["elsewhere", "3"]]);
  assertEquals(a!.got, ["1", "4"]);
});

test("Rooms.deliver sends text as text frames, and other bytes as binary frames", () => {
  const stage = new Stage();
  const [a] = stage.members(1);
  const large = "é".repeat(50_000);
  stage.rooms.deliver("r", new TextEncoder().encode("é"), true);
  stage.rooms.deliver("r", new TextEncoder().encode(large), true);
  stage.rooms.deliver("r", new Uint8Array([0xc3, 0xa9]));
  stage.endTurn();
  assertEquals(a!.got.slice(0, 2), ["é", large]);
  assertEquals(a!.handed.at(-1)!.slice(-4), new Uint8Array([0x82, 2, 0xc3, 0xa9]));
});

/** Room names, and whether they are valid. */
const NAMES: readonly (readonly [name: string, ok: boolean])[] = [
  ["", false],
  ["x", true],
  ["x".repeat(255), true],
  ["x".repeat(256), false],
  ["é".repeat(127), true],
  ["é".repeat(128), false],
  ["😀".repeat(63), true],
  ["😀".repeat(64), false],
  ["\ud800", false],
  ["a\udc00b", false],
];

test("Rooms rejects the name of a room that is empty, too long or not a string", () => {
  for (const [name, ok] of NAMES) {
    const { rooms } = new Stage();
    const member = new Listener();
    for (
      const use of [
        () => rooms.broadcast(name, "x"),
        () => rooms.broadcastFrom(member, name, "x"),
        () => rooms.join(name, member),
      ]
    ) {
      if (ok) use();
      else assertEquals((assertThrows(use, RoomError) as RoomError).code, "badroom");
    }
    assertEquals(rooms.count, ok ? 1 : 0);
  }
});

test("Rooms.broadcast rejects data that is neither text nor bytes", () => {
  const { rooms } = new Stage();
  const received: unknown[] = [];
  rooms.relay = relay((_room, data) => received.push(data));
  for (const data of [{ text: "hi" }, 5, undefined, new ArrayBuffer(2)]) {
    const message = data as unknown as string;
    assertThrows(() => rooms.broadcast("empty", message), TypeError, "cannot send [object");
    const nobody = new Listener();
    assertThrows(() => rooms.broadcastFrom(nobody, "empty", message), TypeError, "cannot send");
  }
  assertEquals(received, []);
});

test("Rooms.join rejects a room over the limit", () => {
  const { rooms } = new Stage(2);
  const member = new Listener();
  rooms.join("a", member);
  rooms.join("b", member);
  rooms.join("b", member);
  const error = assertThrows(() => rooms.join("c", member), RoomError, "leave one first");
  assertEquals((error as RoomError).code, "toomanyrooms");
  assertEquals([[...rooms.of(member)], rooms.count], [["a", "b"], 2]);
  rooms.leave("a", member);
  rooms.join("c", member);
  assertEquals([...rooms.of(member)], ["b", "c"]);
});
