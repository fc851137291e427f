import { assertEquals } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import { turnKey, unmask } from "../../lib/ws/mask.ts";
import { Scratch } from "../../lib/ws/scratch.ts";
import { hex, toHex } from "../kit/ws_client.ts";
import { test } from "../kit/test.ts";

/** Returns the masking key as a little-endian number. */
function keyOf(bytes: Uint8Array): number {
  return bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24);
}

test("unmask decodes RFC 6455's example", () => {
  const scratch = new Scratch(16);
  scratch.bytes.set(hex("7f 9f 4d 51 58"), 3);
  assertEquals(unmask(scratch, 3, 8, keyOf(hex("37 fa 21 3d"))), 0);
  assertEquals(toHex(scratch.bytes.slice(3, 8)), toHex(new TextEncoder().encode("Hello")));
});

test("unmask equals a XOR of each byte at every offset and length", () => {
  const random = new SeededRandom(1);
  const scratch = new Scratch(512);
  const lengths = [...Array(40).keys(), 126, 127, 128, 129, 130, 131, 144, 200, 255, 256, 301];
  for (const length of lengths) {
    for (let from = 0; from < 8; from++) {
      const before = random.bytes(512);
      const key = random.bytes(4);
      scratch.bytes.set(before);
      unmask(scratch, from, from + length, keyOf(key));
      const plain = before.map((byte, i) =>
        i < from || i >= from + length ? byte : byte ^ key[(i - from) % 4]!
      );
      assertEquals(toHex(scratch.bytes), toHex(plain), `${length} bytes at ${from}`);
    }
  }
});

test("unmask returns whether any byte is not ASCII", () => {
  const scratch = new Scratch(512);
  const key = hex("81 92 a3 b4");
  for (const length of [1, 2, 3, 4, 5, 7, 8, 31, 127, 128, 131, 150]) {
    for (let from = 0; from < 5; from++) {
      for (let wide = -1; wide < length; wide++) {
        for (let i = 0; i < length; i++) {
          scratch.bytes[from + i] = (i === wide ? 0x80 : 0x7f) ^ key[i % 4]!;
        }
        const high = unmask(scratch, from, from + length, keyOf(key));
        assertEquals(high !== 0, wide >= 0, `${length} bytes at ${from}, wide ${wide}`);
      }
    }
  }
});

test("unmask continues at the right byte of the key when a payload is split", () => {
  const random = new SeededRandom(2);
  for (let cut = 0; cut <= 11; cut++) {
    const scratch = new Scratch(64);
    const masked = random.bytes(11);
    const key = keyOf(random.bytes(4));
    scratch.bytes.set(masked);
    unmask(scratch, 0, 11, key);
    const whole = toHex(scratch.bytes.slice(0, 11));
    scratch.bytes.set(masked);
    unmask(scratch, 0, cut, key);
    unmask(scratch, cut, 11, turnKey(key, cut));
    assertEquals(toHex(scratch.bytes.slice(0, 11)), whole, `cut at ${cut}`);
  }
});
