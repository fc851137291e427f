/**
 * The binary supervisor config: a supervisor and its children as bytes. Deterministic.
 *
 *     u8 strategy │ u32 restarts │ u64 seconds │ u32 children │ child …
 *
 *     child: u32 length, id │ u64 function │ u64 args │ u64 args size │ u8 restart
 *            │ u8 shutdown, u64 ms │ u8 type │ tail
 *     tail:  nothing, or u8 0, or u8 1 │ u16 length, node │ u16 length, function's name
 *
 * All integers are little-endian, and all texts are UTF-8. Strategies, restart types and so on are
 * encoded as their indexes in the lists below. A function is an index into a table of the reader: a
 * config can refer only to exposed functions. The arguments are addresses in the writer's memory.
 * They are preserved, but not used. A shutdown of all ones is `Infinity`.
 *
 * The tail is a later extension. A tail begins with a byte of 0 or 1, but such a byte may also be
 * the beginning of the next child, whose first field is the length of its id. The decoder reads it
 * as a tail. If the config is also complete without tails, and the two results differ, it is
 * `"ambiguous"`: the caller must specify the form.
 *
 * Longer than 400 lines: it is one format, with its encoder, decoder and documented types.
 *
 * @module
 */
import { Reader, utf8, utf8Text, Writer } from "../base/bytes.ts";
import { type LocalChildSpec, type Restart, RESTARTS } from "./child.ts";
import { STRATEGIES, type Strategy } from "./strategy.ts";
import type { SupervisorOptions } from "./supervisor_actor.ts";

/**
 * The strategies, in the order of their numbers. "simple_one_for_one" is treated as "one_for_one".
 *
 * @example
 * ```ts
 * import { CONFIG_STRATEGIES } from "@firn/firn/otp/config";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(CONFIG_STRATEGIES.indexOf("rest_for_one"), 2);
 * ```
 */
export const CONFIG_STRATEGIES: readonly (Strategy | "simple_one_for_one")[] = [
  ...STRATEGIES,
  "simple_one_for_one",
];

/**
 * The types of children, in the order of their numbers.
 *
 * @example
 * ```ts
 * import { CHILD_TYPES } from "@firn/firn/otp/config";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(CHILD_TYPES, ["worker", "supervisor"]);
 * ```
 */
export const CHILD_TYPES = ["worker", "supervisor"] as const;

/**
 * Maximum length of a config, in bytes. A longer config is rejected.
 *
 * @example
 * ```ts
 * import { CONFIG_BYTES_MAX, decodeConfig } from "@firn/firn/otp/config";
 * import { assertEquals } from "@std/assert";
 *
 * const decoded = decodeConfig(new Uint8Array(CONFIG_BYTES_MAX + 1));
 * assertEquals(decoded.ok || decoded.fault, "size");
 * ```
 */
export const CONFIG_BYTES_MAX: number = 16 * 1024 * 1024;

/** Length of the shortest child, with an empty id and no tail, in bytes. */
const CHILD_BYTES_LEAST = 4 + 3 * 8 + 1 + 1 + 8 + 1;

/** The encoding of `Infinity`: all bits are set. */
const FOREVER = 0xffff_ffff_ffff_ffffn;

/**
 * The reason why a config was rejected.
 *
 * @example
 * ```ts
 * import { CONFIG_FAULTS, decodeConfig } from "@firn/firn/otp/config";
 * import { assertEquals } from "@std/assert";
 *
 * const decoded = decodeConfig(new Uint8Array(1));
 * assertEquals(decoded.ok, false);
 * if (!decoded.ok) assertEquals(CONFIG_FAULTS.includes(decoded.fault), true);
 * ```
 */
export const CONFIG_FAULTS = [
  "size", // the config is longer than CONFIG_BYTES_MAX
  "short", // the config ends within this field, or announces more children than it has bytes for
  "strategy", // no such strategy
  "restart", // no such restart type
  "shutdown", // no such kind of shutdown
  "type", // no such type of child
  "utf8", // a text that is not UTF-8
  "range", // a number that is too large to be exact
  "function", // an index beyond the table
  "trailing", // bytes after the last child
  "ambiguous", // it has different meanings with and without tails
] as const;

/** One of {@linkcode CONFIG_FAULTS}. */
export type ConfigFault = (typeof CONFIG_FAULTS)[number];

/**
 * The layout of a config. `"plain"`: the old layout, in which children have no tails. `"tailed"`:
 * each child may have a tail, which may name a node.
 */
export type ConfigForm = "plain" | "tailed";

/** A child in a config. */
export interface ConfigChild {
  /** The name of the child among its siblings. */
  readonly id: string;
  /** The start function of the child: an index into the table of exposed functions. */
  readonly start: number;
  /**
   * The address and size of the arguments in the memory of the program that wrote the config.
   * Default: none.
   */
  readonly args?: { readonly pointer: bigint; readonly size: bigint } | undefined;
  /** Determines which exits of the child cause a restart. */
  readonly restart: Restart;
  /** How the child is stopped: killed at once, or after this number of milliseconds. */
  readonly shutdown: "brutalKill" | number;
  /** Whether the child is a worker or a supervisor. */
  readonly type: (typeof CHILD_TYPES)[number];
  /**
   * The node on which the child runs, and the name of the start function on that node. Default:
   * this node.
   */
  readonly target?: { readonly node: string; readonly start: string } | undefined;
}

/** A supervisor in a config. */
export interface SupervisorConfig {
  /** One of {@linkcode CONFIG_STRATEGIES}. */
  readonly strategy: Strategy | "simple_one_for_one";
  /** Maximum number of restarts within `period`. When it is exceeded, the supervisor ends. */
  readonly intensity: number;
  /** The time window of `intensity`, in milliseconds; a multiple of 1000. */
  readonly period: number;
  /** The children, in the order of their start. */
  readonly children: readonly ConfigChild[];
}

/** The result of decoding a config. */
export type DecodedConfig =
  | { readonly ok: true; readonly config: SupervisorConfig; readonly form: ConfigForm }
  | { readonly ok: false; readonly fault: ConfigFault; readonly offset: number };

/** Options of `decodeConfig`. */
export interface DecodeConfigOptions {
  /**
   * The number of exposed functions. A config with a larger index is rejected. Default: no limit.
   */
  readonly functions?: number | undefined;
  /**
   * The layout of the config. Default: the layout is detected, and the fault is "ambiguous" if both
   * layouts fit.
   */
  readonly form?: ConfigForm | undefined;
}

/**
 * The error for a config that cannot be encoded or used: `code` "badconfig".
 *
 * @example
 * ```ts
 * import { ConfigError, encodeConfig } from "@firn/firn/otp/config";
 * import { assertThrows } from "@std/assert";
 *
 * const wrong = { strategy: "one_for_one", intensity: -1, period: 5_000, children: [] } as const;
 * assertThrows(() => encodeConfig(wrong), ConfigError);
 * ```
 */
export class ConfigError extends RangeError {
  /** Name of the error class. */
  override readonly name = "ConfigError";
  /** Stable code: `"badconfig"`. */
  readonly code = "badconfig";
}

/**
 * Decodes a config. Returns the fault and the offset of its field if the config is malformed.
 *
 * @example
 * ```ts
 * import { decodeConfig, encodeConfig } from "@firn/firn/otp/config";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeConfig({
 *   strategy: "one_for_all",
 *   intensity: 3,
 *   period: 5_000,
 *   children: [{ id: "a", start: 0, restart: "permanent", shutdown: 5_000, type: "worker" }],
 * });
 * const decoded = decodeConfig(bytes, { functions: 1 });
 * assertEquals(decoded.ok && decoded.config.children[0]!.id, "a");
 * assertEquals(decodeConfig(bytes.subarray(0, 9)), { ok: false, fault: "short", offset: 5 });
 * ```
 */
export function decodeConfig(bytes: Uint8Array, options: DecodeConfigOptions = {}): DecodedConfig {
  const { functions = Infinity, form } = options;
  if (bytes.length > CONFIG_BYTES_MAX) {
    return { ok: false, fault: "size", offset: CONFIG_BYTES_MAX };
  }
  if (form !== undefined) return new Reading(bytes, form, functions).config();
  const byRule = new Reading(bytes, "tailed", functions);
  const tailed = byRule.config();
  // The config contains no tails, so decoding it without tails would return the same result.
  if (byRule.fork === undefined) return tailed.ok ? { ...tailed, form: "plain" } : tailed;
  const plain = new Reading(bytes, "plain", functions).config();
  return plain.ok ? { ok: false, fault: "ambiguous", offset: byRule.fork } : tailed;
}

class Refused extends Error {
  readonly fault: ConfigFault;
  readonly offset: number;

  constructor(fault: ConfigFault, offset: number) {
    super(fault);
    this.fault = fault;
    this.offset = offset;
  }
}

/** Decodes one config in one of the two layouts. */
class Reading {
  /** The offset of the first tail. Undefined if no tail was read. */
  fork: number | undefined = undefined;
  readonly #bytes: Uint8Array;
  readonly #reader: Reader;
  readonly #form: ConfigForm;
  readonly #functions: number;

  constructor(bytes: Uint8Array, form: ConfigForm, functions: number) {
    this.#bytes = bytes;
    this.#reader = new Reader(bytes);
    this.#form = form;
    this.#functions = functions;
  }

  config(): DecodedConfig {
    try {
      const config = this.#config();
      this.#need(this.#reader.left === 0, "trailing", this.#reader.at);
      return { ok: true, config, form: this.#form };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { ok: false, fault: error.fault, offset: error.offset };
    }
  }

  #config(): SupervisorConfig {
    const strategy = this.#one(CONFIG_STRATEGIES, "strategy");
    const intensity = this.#u32();
    const period = this.#number(Math.floor(Number.MAX_SAFE_INTEGER / 1000)) * 1000;
    const at = this.#reader.at;
    const count = this.#u32();
    this.#need(count * CHILD_BYTES_LEAST <= this.#reader.left, "short", at);
    const children: ConfigChild[] = [];
    for (let i = 0; i < count; i++) children.push(this.#child());
    return { strategy, intensity, period, children };
  }

  #child(): ConfigChild {
    const id = this.#text(this.#u32());
    const at = this.#reader.at;
    const start = this.#number(Number.MAX_SAFE_INTEGER);
    this.#need(start < this.#functions, "function", at);
    const args = { pointer: this.#u64(), size: this.#u64() };
    const restart = this.#one(RESTARTS, "restart");
    const kind = this.#one(["brutalKill", "ms"] as const, "shutdown");
    const ms = kind === "ms" ? this.#milliseconds() : (this.#u64(), "brutalKill" as const);
    const type = this.#one(CHILD_TYPES, "type");
    const target = this.#form === "tailed" ? this.#tail() : undefined;
    const child = { id, start, args, restart, shutdown: ms, type };
    return target === undefined ? child : { ...child, target };
  }

  /**
   * Reads the optional fields at the end of a child, a node and a function. Returns undefined if
   * they are absent or empty.
   */
  #tail(): ConfigChild["target"] {
    const reader = this.#reader;
    const next = this.#bytes[reader.at];
    if (next !== 0 && next !== 1) return undefined;
    this.fork ??= reader.at;
    reader.u8();
    if (next === 0) return undefined;
    return { node: this.#text(this.#u16()), start: this.#text(this.#u16()) };
  }

  #milliseconds(): number {
    const reader = this.#reader;
    const at = reader.at;
    if (this.#u64() === FOREVER) return Infinity;
    reader.at = at;
    return this.#number(Number.MAX_SAFE_INTEGER);
  }

  #u16(): number {
    return this.#whole(this.#reader.u16());
  }

  #u32(): number {
    return this.#whole(this.#reader.u32());
  }

  #u64(): bigint {
    return this.#whole(this.#reader.u64());
  }

  /** Reads a u64 as a number. Fails with "range" if it is greater than `most`. */
  #number(most: number): number {
    const at = this.#reader.at;
    const value = this.#u64();
    this.#need(value <= BigInt(most), "range", at);
    return Number(value);
  }

  /**
   * Reads a u8, and returns the element of the list at that index. Fails with `fault` if the index
   * is too large.
   */
  #one<T>(list: readonly T[], fault: ConfigFault): T {
    const at = this.#reader.at;
    const place = this.#whole(this.#reader.u8());
    this.#need(place < list.length, fault, at);
    return list[place]!;
  }

  #text(length: number): string {
    const at = this.#reader.at;
    const text = utf8Text(this.#whole(this.#reader.bytes(length)));
    this.#need(text !== undefined, "utf8", at);
    return text!;
  }

  /**
   * Returns `value`, which was just read. Fails with "short" if the input ended before the value
   * did.
   */
  #whole<T>(value: T): T {
    this.#need(this.#reader.ok, "short", this.#reader.at);
    return value;
  }

  #need(fine: boolean, fault: ConfigFault, offset: number): void {
    if (!fine) throw new Refused(fault, offset);
  }
}

/**
 * Encodes a config. In the form with tails, every child has a tail, so that the result is not
 * ambiguous.
 *
 * @throws {ConfigError} `code` "badconfig": the config does not fit the layout, or its bytes would
 * be decoded to another config.
 *
 * @example
 * ```ts
 * import { decodeConfig, encodeConfig, type SupervisorConfig } from "@firn/firn/otp/config";
 * import { assertEquals } from "@std/assert";
 *
 * const config: SupervisorConfig = {
 *   strategy: "one_for_one",
 *   intensity: 3,
 *   period: 5000,
 *   children: [{ id: "hits", start: 0, restart: "permanent", shutdown: 5000, type: "worker" }],
 * };
 * const decoded = decodeConfig(encodeConfig(config));
 * assertEquals(decoded.ok && decoded.config.children[0]!.id, "hits");
 * ```
 */
export function encodeConfig(config: SupervisorConfig, form: ConfigForm = "tailed"): Uint8Array {
  const writer = new Writer(256, CONFIG_BYTES_MAX);
  const { strategy, intensity, period, children } = config;
  if (period % 1000 !== 0) throw new ConfigError(`period is ${period}: use whole seconds`);
  writer.u8(placeOf(CONFIG_STRATEGIES, strategy, "strategy"))
    .u32(Number(unsigned(intensity, 32, "intensity")))
    .u64(unsigned(period / 1000, 64, "period"))
    .u32(children.length);
  for (const child of children) writeChild(writer, child, form);
  const bytes = writer.done().slice();
  const decoded = decodeConfig(bytes);
  if (decoded.ok) return bytes;
  throw new ConfigError(
    `a ${form} config that would be decoded differently: ${decoded.fault} at ${decoded.offset}`,
  );
}

function writeChild(writer: Writer, child: ConfigChild, form: ConfigForm): void {
  const { id, start, args, restart, shutdown, type, target } = child;
  const name = utf8(id);
  const brutal = shutdown === "brutalKill";
  const ms = brutal ? 0n : shutdown === Infinity ? FOREVER : unsigned(shutdown, 64, "shutdown");
  writer.u32(name.length).bytes(name)
    .u64(unsigned(start, 64, "start")).u64(args?.pointer ?? 0n).u64(args?.size ?? 0n)
    .u8(placeOf(RESTARTS, restart, "restart"))
    .u8(brutal ? 0 : 1).u64(ms)
    .u8(placeOf(CHILD_TYPES, type, "type"));
  if (form === "plain") {
    if (target !== undefined) throw new ConfigError("a plain config has no room for a target");
    return;
  }
  writer.u8(target === undefined ? 0 : 1);
  if (target === undefined) return;
  for (const text of [target.node, target.start]) {
    if (utf8(text).length > 0xffff) {
      throw new ConfigError("target: a text of more than 65535 bytes");
    }
    writer.text16(text);
  }
}

function placeOf<T>(list: readonly T[], one: T, field: string): number {
  const place = list.indexOf(one);
  if (place < 0) throw new ConfigError(`${field} must be one of ${list.join(", ")}`);
  return place;
}

function unsigned(value: number, bits: 32 | 64, field: string): bigint {
  const most = bits === 32 ? 0xffff_ffff : Number.MAX_SAFE_INTEGER;
  if (Number.isInteger(value) && value >= 0 && value <= most) return BigInt(value);
  throw new ConfigError(`${field} is ${value}: use a whole number from 0 to ${most}`);
}

/**
 * Returns the options of `Supervisor.start` for a config. `functions` is the table to which the
 * children's `start` refers. A child with a target becomes a remote child on that node.
 *
 * @throws {ConfigError} `code` "badconfig": a function is not in the table.
 *
 * @example
 * ```ts
 * import { Node, type Self, Supervisor } from "@firn/firn";
 * import { configOptions, type SupervisorConfig } from "@firn/firn/otp/config";
 * import { assertEquals } from "@std/assert";
 *
 * const config: SupervisorConfig = {
 *   strategy: "one_for_one",
 *   intensity: 3,
 *   period: 5000,
 *   children: [{ id: "hits", start: 0, restart: "permanent", shutdown: 5000, type: "worker" }],
 * };
 * const functions = [(self: Self) => self.spawnLink(() => () => {})];
 * await using node = await Node.start({ logLevel: "silent" });
 * const tree = await Supervisor.start(node, configOptions(config, functions));
 * assertEquals((await tree.countChildren()).active, 1);
 * ```
 */
export function configOptions(
  config: SupervisorConfig,
  functions: readonly LocalChildSpec["start"][],
): SupervisorOptions {
  const { strategy, intensity, period } = config;
  const children = config.children.map(({ id, start, restart, shutdown, type, target }) => {
    const rules = { id, restart, shutdown, type };
    if (target !== undefined) return { ...rules, node: target.node, fn: target.start };
    const body = functions[start];
    if (body !== undefined) return { ...rules, start: body };
    throw new ConfigError(`child ${JSON.stringify(id)}: there is no function ${start}`);
  });
  return { strategy: local(strategy), intensity, period, children };
}

function local(strategy: SupervisorConfig["strategy"]): Strategy {
  return strategy === "simple_one_for_one" ? "one_for_one" : strategy;
}
