/**
 * What tells an actor that a name or a group has changed.
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";

/** Known to this file only: tells what the runtime made from what a program made to look so. */
const KEY: unique symbol = Symbol("runtime");

/** Makes a {@linkcode NameChange}. */
export function nameChange(name: string, pid: Pid | undefined): NameChange {
  return new NameChange(KEY, name, pid);
}

/** Makes a {@linkcode GroupChange}. */
export function groupChange(
  group: string,
  joined: readonly Pid[],
  left: readonly Pid[],
): GroupChange {
  return new GroupChange(KEY, group, joined, left);
}

function assertRuntime(key: symbol, kind: string): void {
  if (key !== KEY) throw new TypeError(`only the runtime makes ${kind} messages`);
}

/**
 * A global name has appeared, moved or gone. `message instanceof NameChange` is true of what the runtime
 * made, and of nothing else.
 */
export class NameChange {
  /** True of each message of this class, and of no imitation. */
  static [Symbol.hasInstance](message: unknown): boolean {
    return typeof message === "object" && message !== null && #genuine in message;
  }
  readonly #genuine = true;
  /** Always `"name"`. */
  readonly type = "name";
  /** Which. */
  readonly name: string;
  /** Who is found under it now. */
  readonly pid: Pid | undefined;

  /** For the runtime only: it throws for a program. */
  constructor(key: symbol, name: string, pid: Pid | undefined) {
    assertRuntime(key, "NameChange");
    this.name = name;
    this.pid = pid;
  }
}

/**
 * Actors have joined or left a group. `message instanceof GroupChange` is true of what the runtime made,
 * and of nothing else.
 */
export class GroupChange {
  /** True of each message of this class, and of no imitation. */
  static [Symbol.hasInstance](message: unknown): boolean {
    return typeof message === "object" && message !== null && #genuine in message;
  }
  readonly #genuine = true;
  /** Always `"group"`. */
  readonly type = "group";
  /** Which. */
  readonly group: string;
  /** Who joined, as often as it did. */
  readonly joined: readonly Pid[];
  /** Who left, as often as it did. */
  readonly left: readonly Pid[];

  /** For the runtime only: it throws for a program. */
  constructor(key: symbol, group: string, joined: readonly Pid[], left: readonly Pid[]) {
    assertRuntime(key, "GroupChange");
    this.group = group;
    this.joined = joined;
    this.left = left;
  }
}
