import { assert, assertEquals } from "@std/assert";
import { utf8 } from "../../lib/base/bytes.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { encodeFrame } from "../../lib/mesh/frame.ts";
import { encodeList, encodeRoomBroadcast, TAG } from "../../lib/mesh/message.ts";
import { joinAs, type Raw } from "../mesh/wire.ts";
import { type NodeProcess, PAIRS, untilWhole, withNodes } from "../kit/process.ts";
import { Client } from "../kit/socket.ts";
import { test, until } from "../kit/test.ts";

/**
 * The maximum growth of a process's memory in bytes, because its allocator keeps some freed memory.
 */
const KEPT_BYTES_MAX = 96 * 1024 * 1024;

/**
 * Joins as an authenticated but hostile member of the cluster. The session is closed on disposal.
 */
async function hostile(node: NodeProcess): Promise<Raw> {
  const raw = await joinAs("hostile@127.0.0.1:1", node.name, 1 + Math.floor(Math.random() * 1e9));
  await until(
    "the member is connected",
    async () => (await node.ask<string[]>("peers")).includes("hostile@127.0.0.1:1"),
  );
  return raw;
}

async function gone(raw: Raw, node: NodeProcess): Promise<void> {
  raw.stream.abort();
  await until(
    "the member is disconnected",
    async () => !(await node.ask<string[]>("peers")).includes("hostile@127.0.0.1:1"),
  );
}

const FRAMES: readonly (readonly [string, Uint8Array])[] = [
  ["PEER_LIST", encodeFrame(TAG.PEER_LIST, encodeList(["x@127.0.0.1:1", "y@127.0.0.1:2"]))],
  ["ROOM_BROADCAST", encodeRoomBroadcast("room", "text")],
  ["ROOM_BROADCAST_BINARY", encodeRoomBroadcast("room", new Uint8Array([1, 2, 3]))],
  ["PING", encodeFrame(TAG.PING, new Uint8Array(8))],
  ["PONG", encodeFrame(TAG.PONG, new Uint8Array(8))],
];

for (const [one, other] of PAIRS) {
  test(`a node (${one}) continues after truncated, invalid and too large frames of a member`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a");
      const b = await start(other, "b", { seeds: [a.name] });
      await untilWhole(a, b);

      for (const [name, frame] of FRAMES) {
        // A truncated frame is dropped, and the session ends with the connection.
        for (let at = 0; at < frame.length; at++) {
          const raw = await hostile(a);
          raw.write(frame.subarray(0, at));
          raw.stream.end();
          await until(`the session with ${name} truncated at ${at} is over`, () => raw.isOver);
          await gone(raw, a);
        }
      }
      const invalid: readonly (readonly [string, Uint8Array])[] = [
        ["a frame of 16 MiB + 1", new Uint8Array([1, 0, 0, 1, 0x1e])],
        ["a frame of 4 GiB", new Uint8Array([255, 255, 255, 255, 0x1e])],
        [
          "a wrong length of a room name",
          encodeFrame(TAG.ROOM_BROADCAST, new Uint8Array([255, 255, 97])),
        ],
        [
          "a wrong message length",
          encodeFrame(0x1e, new Uint8Array([1, 0, 97, 9, 0, 0, 0, 98])),
        ],
        [
          "a wrong length of a list",
          encodeFrame(TAG.PEER_LIST, new Uint8Array([255, 255, 1, 0, 97])),
        ],
        ["text that is not UTF-8", encodeFrame(0x1e, new Uint8Array([1, 0, 97, 1, 0, 0, 0, 0xff]))],
        ["a handshake after the handshake", encodeFrame(TAG.NAME, utf8("again"))],
      ];
      for (const [name, frame] of invalid) {
        const raw = await hostile(a);
        raw.write(frame);
        await until(`${name} ends the session`, () => raw.isOver);
        await until(
          "a reports the violation",
          () => a.count("nodedown", "hostile@127.0.0.1:1", "protocol") > 0,
        );
        a.received.splice(0);
        await gone(raw, a);
      }
      // Frames with unknown tags are skipped, and the next frames are handled.
      const client = await Client.member(a.url, "room");
      const raw = await hostile(a);
      const known = new Set<number>(Object.values(TAG));
      for (let tag = 0x21; tag < 0xf0; tag++) {
        if (!known.has(tag)) raw.send(tag, utf8("from a later version"));
      }
      raw.write(encodeRoomBroadcast("room", "behind them"));
      await until("the next frame is handled", () => client.observed.includes("behind them"));
      await gone(raw, a);
      await client.close();
      assertEquals(await a.ask("peers"), [b.name]);
      assertEquals(b.count("nodedown", a.name), 0);
    });
  });

  test(`a node (${one}) continues after 10,000 random frames of members, and releases their memory`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a", { logLevel: "error" });
      const b = await start(other, "b", { seeds: [a.name] });
      await untilWhole(a, b);
      const random = new SeededRandom(20_261_121);
      const tags = [...FRAMES.map(([, frame]) => frame[4]!), 0x10, 0x21, 0x99];
      const before = await a.ask<number>("memory");
      let sent = 0;
      let sessions = 0;
      while (sent < 10_000) {
        const raw = await hostile(a);
        sessions++;
        while (!raw.isOver && sent < 10_000) {
          for (let i = 0; i < 100 && sent < 10_000; i++, sent++) {
            // Most frames are valid, some are truncated or altered, and some are random bytes.
            const kind = random.below(20);
            const [, model] = FRAMES[random.below(FRAMES.length)]!;
            if (kind === 0) raw.write(random.bytes(random.below(64)));
            else if (kind < 4) {
              const damaged = model.slice();
              damaged[random.below(damaged.length)]! ^= 1 << random.below(8);
              raw.write(damaged);
            } else raw.send(tags[random.below(tags.length)]!, random.bytes(random.below(200)));
          }
          await until("the frames are sent", () => raw.stream.unsent === 0 || raw.isOver);
        }
        await gone(raw, a);
      }
      assert(sessions > 1, "no session was ended");
      assertEquals(await a.ask("peers"), [b.name]);
      assertEquals(b.count("nodedown", a.name), 0);
      const client = await Client.member(a.url, "room");
      await b.ask("say", { room: "room", text: "still here" });
      await until("rooms still work", () => client.observed.includes("still here0"));
      await client.close();
      await until(
        "the memory is released",
        async () => await a.ask<number>("memory") - before < KEPT_BYTES_MAX,
      );
    });
  });
}
