import { assertEquals, assertThrows } from "@std/assert";
import { SeededRandom } from "../../lib/base/random.ts";
import { utf8 } from "../../lib/base/bytes.ts";
import {
  CONFIG_BYTES_MAX,
  type ConfigChild,
  ConfigError,
  type ConfigFault,
  configOptions,
  decodeConfig,
  encodeConfig,
  type SupervisorConfig,
} from "../../lib/otp/config.ts";
import { test } from "../kit/test.ts";
import { Family } from "./family.ts";

const CHILD: ConfigChild = {
  id: "worker1",
  start: 0,
  args: { pointer: 0n, size: 0n },
  restart: "permanent",
  shutdown: 5_000,
  type: "worker",
};

const ONE: SupervisorConfig = {
  strategy: "one_for_one",
  intensity: 3,
  period: 5_000,
  children: [CHILD],
};

/** Returns the bytes of a hex string, which may contain spaces. */
function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replace(/\s/g, "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

const HEADER = "00 03000000 0500000000000000 01000000";
const WORKER = "07000000 776f726b657231 0000000000000000 0000000000000000 0000000000000000" +
  "00 01 8813000000000000 00";
const TARGET = "01 1000 776f726b657240686f73743a39303030 0900 6d795f776f726b6572";
const target = { node: "worker@host:9000", start: "my_worker" };

test("decodeConfig reads children without a tail, with an empty tail and with a tail that has a target", () => {
  const rows: [string, "plain" | "tailed", SupervisorConfig][] = [
    [HEADER + WORKER, "plain", ONE],
    [HEADER + WORKER + "00", "tailed", ONE],
    [HEADER + WORKER + TARGET, "tailed", { ...ONE, children: [{ ...CHILD, target }] }],
    ["02 ffffffff 0000000000000000 00000000", "plain", {
      strategy: "rest_for_one",
      intensity: 0xffff_ffff,
      period: 0,
      children: [],
    }],
  ];
  for (const [bytes, form, config] of rows) {
    assertEquals(decodeConfig(hex(bytes)), { ok: true, config, form });
    assertEquals(encodeConfig(config, form), hex(bytes));
  }
});

test("decodeConfig maps the numbers of the format to strategies, restart types and shutdown types", () => {
  const at = (offset: number, value: number) => {
    const bytes = hex(HEADER + WORKER + "00");
    bytes[offset] = value;
    return decodeConfig(bytes);
  };
  const child = 17 + 4 + 7 + 24;
  const config = (offset: number, value: number): SupervisorConfig => {
    const decoded = at(offset, value);
    if (!decoded.ok) throw new Error(decoded.fault);
    return decoded.config;
  };
  assertEquals([0, 1, 2, 3].map((n) => config(0, n).strategy), [
    "one_for_one",
    "one_for_all",
    "rest_for_one",
    "simple_one_for_one",
  ]);
  assertEquals([0, 1, 2].map((n) => config(child, n).children[0]!.restart), [
    "permanent",
    "transient",
    "temporary",
  ]);
  assertEquals([0, 1].map((n) => config(child + 1, n).children[0]!.shutdown), [
    "brutalKill",
    5_000,
  ]);
  assertEquals([0, 1].map((n) => config(child + 10, n).children[0]!.type), [
    "worker",
    "supervisor",
  ]);
  assertEquals(at(0, 4), { ok: false, fault: "strategy", offset: 0 });
  assertEquals(at(child, 3), { ok: false, fault: "restart", offset: child });
  assertEquals(at(child + 1, 2), { ok: false, fault: "shutdown", offset: child + 1 });
  assertEquals(at(child + 10, 2), { ok: false, fault: "type", offset: child + 10 });
});

/** The offsets of the fields of a config of one child called worker1, with a target. */
const FIELDS = [0, 1, 5, 13, 17, 21, 28, 36, 44, 52, 53, 54, 62, 63, 64, 66, 82, 84];

test("decodeConfig rejects a truncated config with the name of the truncated field", () => {
  const bytes = hex(HEADER + WORKER + TARGET);
  assertEquals(bytes.length, 93);
  for (let length = 0; length < bytes.length; length++) {
    // The config is also complete without its tail.
    const decoded = decodeConfig(bytes.subarray(0, length), { functions: 1 });
    if (length === 63) {
      assertEquals(decoded.ok && decoded.form, "plain");
      continue;
    }
    // A count larger than the remaining bytes allow is rejected before any child is read.
    const cut = length >= 17 && length < 17 + 39 ? 13 : FIELDS.findLast((at) => at <= length)!;
    assertEquals(decoded, { ok: false, fault: "short", offset: cut }, `${length} bytes`);
  }
});

test("decodeConfig rejects wrong lengths, invalid text and numbers that are too large", () => {
  const rows: [string, ConfigFault | "", number][] = [
    // The first count is four billion children; the second is one too high.
    ["00 03000000 0500000000000000 ffffffff" + WORKER, "short", 13],
    ["00 03000000 0500000000000000 02000000" + WORKER, "short", 13],
    [HEADER + WORKER.replace("07000000", "ffffffff"), "short", 21],
    [HEADER + WORKER.replace("07000000", "08000000"), "shutdown", 54],
    [HEADER + WORKER.replace("776f726b657231", "776f726b6572ff"), "utf8", 21],
    [HEADER + WORKER + TARGET.replace("1000", "ffff"), "short", 66],
    [HEADER + WORKER + TARGET.replace("776f72", "ff6f72"), "utf8", 66],
    [HEADER + WORKER + TARGET.replace("6d795f", "6dc0af"), "utf8", 84],
    [HEADER + WORKER + TARGET + "00", "trailing", 93],
    [HEADER + WORKER + "02", "trailing", 63],
    [HEADER + WORKER + "0000", "trailing", 64],
    ["00 03000000 ffffffffffffffff 00000000", "range", 5],
    ["00 03000000 a69bc420b0020000 00000000", "", 0],
    ["00 03000000 00000000000020 00 00000000", "range", 5],
    [HEADER + WORKER.replace("8813000000000000", "0000000000002000"), "range", 54],
    [HEADER + WORKER.replace("31 0000000000000000", "31 ffffffffffffffff"), "range", 28],
    [HEADER + WORKER.replace("31 0000000000000000", "31 0100000000000000"), "function", 28],
  ];
  for (const [bytes, fault, offset] of rows) {
    const decoded = decodeConfig(hex(bytes), { functions: 1 });
    if (fault === "") assertEquals(decoded.ok, true);
    else assertEquals(decoded, { ok: false, fault, offset }, bytes);
  }
  const size = { ok: false, fault: "size", offset: CONFIG_BYTES_MAX } as const;
  assertEquals(decodeConfig(new Uint8Array(CONFIG_BYTES_MAX + 1)), size);
});

test("decodeConfig reads a shutdown time whose bits are all ones as Infinity", () => {
  const children: ConfigChild[] = [
    { ...CHILD, shutdown: Infinity },
    { ...CHILD, id: "größe", shutdown: 0, restart: "transient", type: "supervisor", target },
    { ...CHILD, id: "", shutdown: "brutalKill", restart: "temporary", start: 2 ** 40 },
    { ...CHILD, id: "x", args: { pointer: 2n ** 64n - 1n, size: 9n }, shutdown: 2 ** 53 - 1 },
    { ...CHILD, id: "y", target: { node: "", start: "" } },
  ];
  for (const strategy of ["one_for_all", "simple_one_for_one"] as const) {
    const config = { strategy, intensity: 0, period: 1_000, children };
    assertEquals(decodeConfig(encodeConfig(config)), { ok: true, config, form: "tailed" });
  }
});

/**
 * Returns a config of several children in the older format, in which children have no tail with a
 * target.
 */
function legacy(...ids: string[]): Uint8Array {
  const parts = ids.map((id) => {
    const name = utf8(id);
    const length = new Uint8Array(new Uint32Array([name.length]).buffer);
    return [...length, ...name, ...hex(WORKER).subarray(4 + 7)];
  });
  const bytes = hex(HEADER);
  bytes[13] = ids.length;
  return Uint8Array.from([...bytes, ...parts.flat()]);
}

test("decodeConfig reads an unambiguous config of the older format", () => {
  const decoded = decodeConfig(legacy("a", "worker2", "worker3"));
  assertEquals(decoded.ok && decoded.form, "plain");
  assertEquals(decoded.ok && decoded.config.children.map(({ id }) => id), [
    "a",
    "worker2",
    "worker3",
  ]);
});

test("decodeConfig rejects a config of the older format if it could also be read as the current format", () => {
  const rows: [string[], number][] = [
    // The byte after a child is the low byte of the length of the next id. It can be read as a tail:
    // 1 (a target follows) for a one-letter id, 0 (no target) for an empty or a 256-byte id.
    [["worker1", "b"], 63],
    [["worker1", ""], 63],
    [["worker1", "x".repeat(256)], 63],
    [["worker1", "worker2", "c"], 63 + 46],
    [["a", "b", "c"], 57],
  ];
  for (const [ids, offset] of rows) {
    const bytes = legacy(...ids);
    assertEquals(decodeConfig(bytes), { ok: false, fault: "ambiguous", offset });
    const received = decodeConfig(bytes, { form: "plain" });
    assertEquals(received.ok && received.config.children.map(({ id }) => id), ids);
    // Reading the bytes in the wrong format fails.
    assertEquals(decodeConfig(bytes, { form: "tailed" }).ok, false);
  }
});

test("decodeConfig reads a config that is valid in both formats in the format that the caller specifies", () => {
  // The length of the second id, 257, is 01 01 00 00. Read as a tail, it is a node of one byte and
  // a function of 126 bytes, followed by a child with an id of 125 bytes that ends at the same
  // offset.
  const [start, inner] = ["f".repeat(126), "i".repeat(125)];
  const id = `\x7e\0${start}\x7d\0\0\0${inner}`;
  const bytes = legacy("worker1", id);
  assertEquals(decodeConfig(bytes), { ok: false, fault: "ambiguous", offset: 63 });
  // `offset` is the position of the first ambiguity in the config.
  const longer = decodeConfig(legacy("worker1", id, "b"));
  assertEquals(longer, { ok: false, fault: "ambiguous", offset: 63 });
  const readAs = (form: "plain" | "tailed") => {
    const decoded = decodeConfig(bytes, { form });
    return decoded.ok && decoded.config.children.map(({ id, target }) => [id, target]);
  };
  assertEquals(readAs("plain"), [["worker1", undefined], [id, undefined]]);
  assertEquals(readAs("tailed"), [["worker1", { node: "\0", start }], [inner, undefined]]);
});

test("decodeConfig reads several children with tails without ambiguity", () => {
  for (const ids of [["a", "b"], ["worker1", ""], ["x".repeat(256), "b"], ["a", "b", "c", "d"]]) {
    const children = ids.map((id, i) => i === 1 ? { ...CHILD, id, target } : { ...CHILD, id });
    const config = { ...ONE, children };
    assertEquals(decodeConfig(encodeConfig(config)), { ok: true, config, form: "tailed" });
  }
});

test("decodeConfig returns an error, or a config that can be encoded again, for any bytes", () => {
  const random = new SeededRandom(20);
  const samples = [
    hex(HEADER + WORKER + TARGET),
    encodeConfig({ ...ONE, children: [CHILD, { ...CHILD, id: "b", target }, CHILD] }),
    legacy("worker1", "worker2"),
  ];
  let read = 0;
  for (let i = 0; i < 5_000; i++) {
    const bytes = samples[i % 3]!.slice();
    for (let n = random.below(3); n >= 0; n--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    const decoded = decodeConfig(bytes.subarray(0, bytes.length - random.below(2)));
    if (!decoded.ok) assertEquals(decoded.offset >= 0 && decoded.offset <= bytes.length, true);
    else {
      read++;
      const again = decodeConfig(encodeConfig(decoded.config, "tailed"));
      assertEquals(again, { ...decoded, form: "tailed" });
    }
  }
  assertEquals(read > 500, true);
});

test("encodeConfig rejects values that do not fit the format", () => {
  const child = (change: Partial<ConfigChild>) => ({ ...ONE, children: [{ ...CHILD, ...change }] });
  const refused: [SupervisorConfig, "plain" | "tailed"][] = [
    [{ ...ONE, period: 1_500 }, "tailed"],
    [{ ...ONE, intensity: 2 ** 32 }, "tailed"],
    [{ ...ONE, intensity: Infinity }, "tailed"],
    [{ ...ONE, strategy: "none" as never }, "tailed"],
    [child({ restart: "never" as never }), "tailed"],
    [child({ type: "boss" as never }), "tailed"],
    [child({ shutdown: -1 }), "tailed"],
    [child({ shutdown: 0.5 }), "tailed"],
    [child({ start: -1 }), "tailed"],
    [child({ target: { node: "x".repeat(65_536), start: "" } }), "tailed"],
    [child({ target }), "plain"],
    [{ ...ONE, children: [CHILD, { ...CHILD, id: "b" }] }, "plain"],
  ];
  for (const [config, form] of refused) assertThrows(() => encodeConfig(config, form), ConfigError);
});

test("configOptions starts functions of its table and of exposed targets", async () => {
  const family = new Family();
  const functions = ["a", "b"].map((id) => family.child(id).start);
  const decoded = decodeConfig(
    encodeConfig({
      strategy: "one_for_all",
      intensity: 1,
      period: 1_000,
      children: [{ ...CHILD, id: "first", start: 1 }, { ...CHILD, id: "second", start: 0 }],
    }),
    { functions: functions.length },
  );
  if (!decoded.ok) throw new Error(decoded.fault);
  const tree = await family.supervise(configOptions(decoded.config, functions));
  assertEquals(family.news(), ["start b", "start a"]);
  await family.end("a", "bad");
  assertEquals(family.news(), ["end a bad", "end b shutdown", "start b", "start a"]);
  await family.end("a", "bad");
  assertEquals(family.system.isAlive(tree.pid), false);

  assertThrows(() => configOptions(decoded.config, functions.slice(1)), ConfigError, "function 1");
  const remote = { ...ONE, children: [{ ...CHILD, target }] };
  const [child] = configOptions(remote, []).children!;
  assertEquals([child!.node, child!.fn, child!.start], [target.node, target.start, undefined]);
  const simple = configOptions({ ...ONE, strategy: "simple_one_for_one" }, functions);
  assertEquals(simple.strategy, "one_for_one");
});
