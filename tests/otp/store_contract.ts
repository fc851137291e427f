/** The behaviour that every store must have. */
import { assertEquals } from "@std/assert";
import type { Store } from "../../lib/otp/store.ts";

/** Tests an empty store, and leaves one key in it. */
export async function contract(store: Store): Promise<void> {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  assertEquals(await store.load("a"), undefined);
  assertEquals(await store.save("a", bytes("one"), 5, 4), false);
  assertEquals(await store.save("a", bytes("one"), 5, undefined), true);
  assertEquals(await store.save("a", bytes("two"), 6, undefined), false);
  assertEquals(await store.load("a"), { value: bytes("one"), version: 5 });
  assertEquals(await store.save("a", bytes("two"), 2 ** 41, 5), true);
  assertEquals(await store.load("a"), { value: bytes("two"), version: 2 ** 41 });
  assertEquals(await store.remove("a", 5), false);
  await store.save("b%_", new Uint8Array(0), 1, undefined);
  assertEquals([...await store.keys!("b%")], ["b%_"]);
  assertEquals([...await store.keys!("")].sort(), ["a", "b%_"]);
  assertEquals(await store.remove("a", 2 ** 41), true);
  assertEquals(await store.load("a"), undefined);
}
