/**
 * Defines the messages to actors about changes of names and groups.
 *
 * @module
 */
import { RUNTIME, RuntimeMessage } from "../actor/runtime_message.ts";
import type { Pid } from "../term/pid.ts";

/** Creates a {@linkcode NameChange}. */
export function nameChange(name: string, pid: Pid | undefined): NameChange {
  return new NameChange(RUNTIME, name, pid);
}

/** Creates a {@linkcode GroupChange}. */
export function groupChange(
  group: string,
  joined: readonly Pid[],
  left: readonly Pid[],
): GroupChange {
  return new GroupChange(RUNTIME, group, joined, left);
}

/**
 * Reports that a global name was registered, moved to another actor, or freed.
 *
 * @example
 * ```ts
 * import { NameChange, Node, type Self } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const change = new Promise<NameChange>((resolve) =>
 *   node.spawn(async (self: Self<NameChange>) => {
 *     node.global.monitor("clock", self.pid);
 *     const message = await self.receive();
 *     if (message instanceof NameChange) resolve(message);
 *   })
 * );
 * const clock = node.spawn(() => () => {});
 * await node.global.register("clock", clock);
 * assertEquals((await change).pid, clock);
 * ```
 */
export class NameChange extends RuntimeMessage {
  /** Always `"name"`. */
  readonly type = "name";
  /** The global name. */
  readonly name: string;
  /** The actor that now has the name; `undefined` if the name was freed. */
  readonly pid: Pid | undefined;

  /** Internal: throws if a program calls it. */
  constructor(key: symbol, name: string, pid: Pid | undefined) {
    super(key);
    this.name = name;
    this.pid = pid;
  }
}

/**
 * Reports that actors have joined or left a group.
 *
 * @example
 * ```ts
 * import { GroupChange, Node, type Self } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const worker = node.spawn(() => () => {});
 * node.groups.join("workers", worker);
 * const change = new Promise<GroupChange>((resolve) =>
 *   node.spawn(async (self: Self<GroupChange>) => {
 *     node.groups.monitor("workers", self.pid);
 *     const message = await self.receive();
 *     if (message instanceof GroupChange) resolve(message);
 *   })
 * );
 * assertEquals((await change).joined, [worker]);
 * ```
 */
export class GroupChange extends RuntimeMessage {
  /** Always `"group"`. */
  readonly type = "group";
  /** The name of the group. */
  readonly group: string;
  /** The actors that joined, once per join. */
  readonly joined: readonly Pid[];
  /** The actors that left, once per leave. */
  readonly left: readonly Pid[];

  /** Internal: throws if a program calls it. */
  constructor(key: symbol, group: string, joined: readonly Pid[], left: readonly Pid[]) {
    super(key);
    this.group = group;
    this.joined = joined;
    this.left = left;
  }
}
