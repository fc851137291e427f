/**
 * What tells an actor that a name or a group has changed.
 *
 * @module
 */
import { RUNTIME, RuntimeMessage } from "../actor/runtime_message.ts";
import type { Pid } from "../term/pid.ts";

/** Makes a {@linkcode NameChange}. */
export function nameChange(name: string, pid: Pid | undefined): NameChange {
  return new NameChange(RUNTIME, name, pid);
}

/** Makes a {@linkcode GroupChange}. */
export function groupChange(
  group: string,
  joined: readonly Pid[],
  left: readonly Pid[],
): GroupChange {
  return new GroupChange(RUNTIME, group, joined, left);
}

/**
 * A global name has appeared, moved or gone.
 */
export class NameChange extends RuntimeMessage {
  /** Always `"name"`. */
  readonly type = "name";
  /** Which. */
  readonly name: string;
  /** Who is found under it now. */
  readonly pid: Pid | undefined;

  /** For the runtime only: it throws for a program. */
  constructor(key: symbol, name: string, pid: Pid | undefined) {
    super(key);
    this.name = name;
    this.pid = pid;
  }
}

/**
 * Actors have joined or left a group.
 */
export class GroupChange extends RuntimeMessage {
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
    super(key);
    this.group = group;
    this.joined = joined;
    this.left = left;
  }
}
