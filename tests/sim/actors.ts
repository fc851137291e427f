/**
 * The actors of the workloads, for simulations and for nodes in processes. They record facts for
 * the checkers.
 */
import type { Call } from "../../lib/actor/call.ts";
import { Down, Exit } from "../../lib/actor/exit.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { Pid } from "../../lib/term/pid.ts";
import type { Tell, Ways } from "./checkers/checker.ts";

/** A message with its sender and number. */
export interface Numbered {
  /** The sender: a node incarnation. */
  readonly from: string;
  readonly number: number;
  /** The receiver's pid, if the message was sent by pid. */
  readonly to: string | undefined;
  readonly ballast: string;
}

/** Receives numbered messages on the node `at`. */
export function sink(self: Self<Numbered>, at: string, tell: Tell): (message: Numbered) => void {
  return ({ from, number, to }) => {
    const got = { kind: "got", sink: self.pid.key, at, from, number } as const;
    tell(to === undefined ? got : { ...got, to });
  };
}

/**
 * An actor that others link to and monitor. It traps exits, so it survives the exits of linked
 * actors.
 */
export async function target(self: Self): Promise<void> {
  self.trapExit = true;
  for await (const message of self) if (!((message as unknown) instanceof Exit)) return;
}

/** Links to another actor, monitors it, or both. Records the signals about it. */
export async function watcher(
  self: Self<unknown>,
  there: Pid,
  bond: string,
  ways: Ways,
  tell: Tell,
): Promise<void> {
  tell({ kind: "bond", bond, target: there.key, ways });
  self.trapExit = true;
  if (ways !== "monitor") self.link(there);
  if (ways !== "link") self.monitor(there);
  for await (const message of self) {
    if (!(message instanceof Exit || message instanceof Down)) continue;
    // Ignores an exit signal that is not from the watched actor: this actor's own node stops or
    // leaves.
    if (message instanceof Exit && !message.from.equals(there)) return;
    const kind = message instanceof Exit ? "exit" : "down";
    // When a node stops, every actor receives an exit signal that no link has caused. It is not
    // recorded.
    if (message instanceof Exit && message.from.key !== there.key) return;
    tell({ kind, bond, reason: String(message.reason) });
  }
}

/** A supervised child that crashes on request. */
export function child(
  self: Self<string>,
  id: string,
  where: string,
  tell: Tell,
): (message: string) => void {
  const pid = self.pid.key;
  tell({ kind: "runs", child: id, pid });
  self.signal.addEventListener("abort", () => tell({ kind: "ended", child: id, pid }), {
    once: true,
  });
  return (message) => {
    // Throws an error without a stack, because stacks differ between the runtimes, and with them
    // the encoded bytes.
    if (message === "crash") throw Object.assign(new Error(`${where}: as told`), { stack: "" });
  };
}

/**
 * An actor that links, monitors, calls and spawns. When it exits, all state about these relations
 * must be removed.
 */
export async function acquaintance(
  self: Self<unknown>,
  other: Pid | undefined,
  traps: () => boolean,
): Promise<void> {
  self.trapExit = traps();
  if (other !== undefined) {
    self.link(other);
    self.unlink(other);
    self.link(other);
    self.demonitor(self.monitor(other));
    self.monitor(other);
    self.monitor({ name: "nobody", node: other.node });
    self.monitor({ name: "hub", node: other.node });
    self.sendAfter(other as Pid<string>, "later", 50);
    self.call(other as Pid<Call<string, string>>, "?", { timeout: 500 }).catch(() => {});
  }
  for await (const _ of self);
}

const decoder = new TextDecoder();

/** Returns a line for a room: its sender and its number. */
export function spoken(from: string, number: number): string {
  return `<${from} ${number}>`;
}

/** A member of a room, which records the lines that it receives. */
export function listener(tell: Tell): { sendShared(frames: Uint8Array): void } {
  return {
    sendShared(frames) {
      for (const [, from, number] of decoder.decode(frames).matchAll(/<(\w+) (\d+)>/g)) {
        tell({ kind: "receivedLine", from: from!, number: Number(number) });
      }
    },
  };
}
