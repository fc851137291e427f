import { assert, assertEquals, assertThrows } from "@std/assert";
import { Down, downMessage, Exit, exitMessage } from "../../lib/actor/exit.ts";
import { NodeChange, nodeChange } from "../../lib/actor/node_change.ts";
import { RuntimeMessage } from "../../lib/actor/runtime_message.ts";
import { GroupChange, groupChange, NameChange, nameChange } from "../../lib/cluster/changes.ts";
import type { Pid, Ref } from "../../lib/term/pid.ts";
import { test } from "../kit/test.ts";

const nobody = undefined as unknown as Pid;

const CLASSES = [Exit, Down, NodeChange, NameChange, GroupChange];
const GENUINE: readonly RuntimeMessage[] = [
  exitMessage(nobody, "gone"),
  downMessage(undefined as unknown as Ref, nobody, "gone"),
  nodeChange("nodeup", "a@127.0.0.1:1"),
  nameChange("cart", nobody),
  groupChange("carts", [], []),
];

test("RuntimeMessage is the base class of all messages that the runtime creates, each of its own class", () => {
  for (const [at, message] of GENUINE.entries()) {
    assert(message instanceof RuntimeMessage);
    assertEquals(CLASSES.map((Class) => message instanceof Class), CLASSES.map((_, i) => i === at));
  }
});

test("RuntimeMessage cannot be created, copied, inherited from or imitated", () => {
  for (const genuine of GENUINE) {
    const Class = genuine.constructor as new (...args: unknown[]) => object;
    for (const key of [undefined, Symbol("runtime"), Symbol.for("runtime"), genuine]) {
      assertThrows(
        () => new Class(key, "a", "b", "c"),
        TypeError,
        `creates ${Class.name} messages`,
      );
      assertThrows(() => new (class extends Class {})(key), TypeError, "only the runtime");
    }
    const imitations = [
      { ...genuine },
      Object.create(genuine),
      Object.assign(Object.create(Class.prototype), genuine),
      Class,
      Class.prototype,
      "EXIT",
      null,
      undefined,
    ];
    for (const imitation of imitations) {
      for (const each of [RuntimeMessage, ...CLASSES]) assert(!(imitation instanceof each));
    }
  }
});
