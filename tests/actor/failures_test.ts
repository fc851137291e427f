import { assertEquals } from "@std/assert";
import { Failures } from "../../lib/actor/failures.ts";
import { ManualSystem } from "../kit/system.ts";
import { test } from "../kit/test.ts";

test("Failures records, for each system, the actor that an error or a promise belongs to", () => {
  const system = new ManualSystem();
  const [one, two] = [system.puppet().self, system.puppet().self];
  const [mine, other] = [new Failures(), new Failures()];
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const objects = [
    new Error("plain"),
    Object.freeze(new Error("frozen")),
    new Promise(() => {}),
    new Proxy(new Error("a proxy"), {}),
    revoked.proxy,
    Object.freeze({}),
  ];
  for (const object of objects) {
    assertEquals([mine.has(object), mine.get(object)], [false, undefined]);
    mine.set(object, one);
    assertEquals([mine.has(object), other.has(object), other.get(object)], [
      true,
      false,
      undefined,
    ]);
    other.set(object, undefined);
    assertEquals([mine.get(object), other.has(object), other.get(object)], [one, true, undefined]);
    mine.set(object, two);
    assertEquals([mine.get(object), other.get(object)], [two, undefined]);
  }
  assertEquals(Reflect.ownKeys(objects[2] as object), []);
  system.stop();
});
