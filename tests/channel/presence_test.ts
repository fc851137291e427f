import { assertEquals } from "@std/assert";
import { Presence, type PresencePort, type PresenceRow } from "../../lib/channel/presence.ts";
import { test } from "../kit/test.ts";

/** A port whose timers and deferred tasks are run by the test. */
class ManualPort implements PresencePort {
  readonly timers: (() => void)[] = [];
  tasks: (() => void)[] = [];
  /** The number of leaves in each delivered change. */
  readonly leaves: number[] = [];

  send(): void {}

  deliver(_topic: string, diff: { leaves: object }): void {
    this.leaves.push(Object.keys(diff.leaves).length);
  }

  after(_ms: number, task: () => void): { cancel(): void } {
    this.timers.push(task);
    return { cancel: () => {} };
  }

  soon(task: () => void): void {
    this.tasks.push(task);
  }

  /** Runs the tasks of one turn. */
  turn(): void {
    const tasks = this.tasks;
    this.tasks = [];
    for (const task of tasks) task();
  }
}

/** Returns the presence of "me" with entries of "peer", whose joins have been delivered. */
function withEntries(count: number): { port: ManualPort; presence: Presence } {
  const port = new ManualPort();
  const presence = new Presence("me", "1", port);
  presence.up("peer");
  const rows = Array.from({ length: count }, (_, i): PresenceRow => ["t", `k${i}`, `r${i}`, 1, {}]);
  presence.received("peer", ["presences", rows, 0]);
  port.turn();
  port.leaves.length = 0;
  return { port, presence };
}

test("Presence.down removes the entries of a lost node in portions after the grace period", () => {
  const { port, presence } = withEntries(1_200);
  presence.down("peer");
  port.turn();
  assertEquals([Object.keys(presence.list("t")).length, port.leaves], [1_200, []]);
  port.timers[0]!();
  assertEquals(Object.keys(presence.list("t")).length, 700);
  while (port.tasks.length > 0) port.turn();
  assertEquals([Object.keys(presence.list("t")).length, port.leaves], [0, [500, 500, 200]]);
});

test("Presence.up keeps the entries of a node that returns while they are being removed", () => {
  const { port, presence } = withEntries(1_200);
  presence.down("peer");
  port.timers[0]!();
  presence.up("peer");
  const rows = Array.from({ length: 1_200 }, (_, i): PresenceRow => ["t", `k${i}`, `r${i}`, 1, {}]);
  presence.received("peer", ["presences", rows, 0]);
  while (port.tasks.length > 0) port.turn();
  assertEquals(Object.keys(presence.list("t")).length, 1_200);
});
