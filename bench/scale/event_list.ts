/**
 * The events that `events.ts` measures.
 *
 * @module
 */
import type { Actor } from "../../lib/actor/actor.ts";
import { Deadline } from "../../lib/actor/timer.ts";
import { DEFAULT_SCOPE } from "../../lib/cluster/groups.ts";
import { Node } from "../../lib/node.ts";
import { DynamicSupervisor } from "../../lib/otp/dynamic_supervisor.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { Parts } from "../../lib/start.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { type FarNode, startFar, startNear, until } from "./nodes.ts";

/**
 * An event whose preparation is complete. `run` triggers it, and resolves when all its effects are
 * over.
 */
export interface Prepared {
  run(): unknown;
}

/** A kind of event that concerns many actors, calls, timers, names or groups. */
export interface Event {
  readonly name: string;
  prepare(count: number): Promise<Prepared>;
}

function idle(): (message: unknown) => void {
  return () => {};
}

function actorOf({ system }: Parts, pid: Pid<never>): Actor {
  return system.find(pid.id)!;
}

async function idleActors(parts: Parts, count: number): Promise<Actor[]> {
  const pids = Array.from(
    { length: count },
    () => parts.system.spawn(undefined, undefined, idle, []),
  );
  const actors = pids.map((pid) => actorOf(parts, pid));
  await until(() => actors.every(({ isIdle }) => isIdle));
  return actors;
}

/** Returns whether all effects of an exit have been handled. */
function isDone({ system }: Parts): boolean {
  return !system.signals.isBehind && system.scheduler.waiting === 0;
}

/** Returns an event in which an actor of this node exits. */
function exit(
  name: string,
  prepare: (parts: Parts, target: Actor, count: number) => unknown,
): Event {
  return {
    name: `an actor exits: ${name}`,
    prepare: async (count) => {
      const parts = await startNear();
      const [target] = await idleActors(parts, 1) as [Actor];
      await prepare(parts, target, count);
      return {
        run: async () => {
          parts.system.exit(target.pid as Pid, "kill");
          await until(() => isDone(parts));
        },
      };
    },
  };
}

/**
 * Returns an event in which a node is lost. `what` is the action that the node has performed
 * before: see `far.ts`.
 */
function lost(
  name: string,
  what: string,
  prepare: (parts: Parts, far: FarNode, count: number) => unknown,
): Event {
  return {
    name: `a node is lost: ${name}`,
    prepare: async (count) => {
      const parts = await startNear();
      const target = parts.system.spawn(undefined, undefined, idle, []);
      parts.system.names.register("target", target);
      const far = await startFar(parts.mesh.name, what, count);
      await prepare(parts, far, count);
      return {
        run: async () => {
          let isOver = false;
          parts.mesh.events.on("nodedown", () => isOver = true);
          far.kill();
          await until(() => isOver);
          await new Promise((wake) => setTimeout(wake, 300));
          await until(() => isDone(parts));
        },
      };
    },
  };
}

function farPids({ remote }: Parts, { name, first }: FarNode, count: number): Pid[] {
  const nodeLink = remote.nodeLink(name)!;
  return Array.from({ length: count }, (_, i) => nodeLink.pid(first + i));
}

/** Waits until the other node has handled everything that was sent. */
async function answered(parts: Parts, { name, first }: FarNode): Promise<void> {
  const pid = parts.remote.nodeLink(name)!.pid(first + 1e9);
  await parts.system.whenEnded(pid).catch(() => {});
}

const start = (self: Self): Pid => self.spawnLink(idle) as Pid;

function specs(count: number): { id: string; start: typeof start }[] {
  return Array.from({ length: count }, (_, i) => ({ id: `${i}`, start }));
}

/** All events that can be measured. */
export const EVENTS: readonly Event[] = [
  exit("watchers", async (parts, target, count) => {
    for (const actor of await idleActors(parts, count)) actor.monitor(target.pid as Pid);
  }),
  exit("linked actors", async (parts, target, count) => {
    for (const actor of await idleActors(parts, count)) actor.link(target.pid as Pid);
  }),
  exit("its own monitors", async (parts, target, count) => {
    for (const { pid } of await idleActors(parts, count)) target.monitor(pid as Pid);
  }),
  exit("calls", (parts, target, count) => {
    for (let i = 0; i < count; i++) {
      parts.system.call(target.pid, i).catch(() => {});
    }
  }),
  exit("calls that nobody awaits", (parts, target, count) => {
    for (let i = 0; i < count; i++) void parts.system.call(target.pid, i);
  }),
  exit("its own calls", async (parts, target, count) => {
    const [other] = await idleActors(parts, 1) as [Actor];
    for (let i = 0; i < count; i++) {
      parts.system.call(other.pid, i, undefined, target).catch(() => {});
    }
  }),
  exit("timers", (parts, target, count) => {
    for (let i = 0; i < count; i++) parts.system.sendAfter(target.pid as Pid<unknown>, i, 60_000);
  }),
  exit("local names", (parts, target, count) => {
    for (let i = 0; i < count; i++) parts.system.names.register(`name ${i}`, target.pid as Pid);
  }),
  exit("global names", async (parts, target, count) => {
    for (let i = 0; i < count; i++) {
      void parts.global.register(`name ${i}`, target.pid as Pid);
    }
    await until(() => parts.global.names().length === count);
  }),
  exit("groups", (parts, target, count) => {
    for (let i = 0; i < count; i++) {
      parts.groups.join(DEFAULT_SCOPE, `group ${i}`, target.pid as Pid);
    }
  }),
  exit("a chain of linked actors", async (parts, target, count) => {
    let before = target;
    for (const actor of await idleActors(parts, count)) {
      actor.link(before.pid as Pid);
      before = actor;
    }
  }),
  lost("monitors of one actor", "actors", async (parts, far, count) => {
    const [watcher] = await idleActors(parts, 1) as [Actor];
    for (const pid of farPids(parts, far, count)) watcher.monitor(pid);
    await answered(parts, far);
  }),
  lost("monitors of an actor each", "actors", async (parts, far, count) => {
    const actors = await idleActors(parts, count);
    for (const [i, pid] of farPids(parts, far, count).entries()) actors[i]!.monitor(pid);
    await answered(parts, far);
  }),
  lost("a link of an actor each", "actors", async (parts, far, count) => {
    const actors = await idleActors(parts, count);
    for (const [i, pid] of farPids(parts, far, count).entries()) actors[i]!.link(pid);
    await answered(parts, far);
  }),
  lost("calls", "actors", async (parts, far, count) => {
    for (const pid of farPids(parts, far, count)) {
      parts.system.call(pid as Pid<unknown>, 1, { timeout: Infinity }).catch(() => {});
    }
    await answered(parts, far);
  }),
  lost(
    "monitors of its actors",
    "monitors",
    (parts, { name }, count) => until(() => parts.remote.nodeLink(name)?.monitors === count),
  ),
  lost("its calls", "calls", async (parts, _far, count) => {
    const target = parts.system.names.whereis("target")!;
    const chained = (): number => {
      let length = 0;
      for (let link = actorOf(parts, target).chain; link !== undefined; link = link.following) {
        length++;
      }
      return length;
    };
    await until(() => chained() === count);
  }),
  lost(
    "its global names",
    "names",
    ({ global }, _far, count) => until(() => global.names().length === count),
  ),
  lost(
    "its groups",
    "groups",
    ({ groups }, _far, count) => until(() => groups.names(DEFAULT_SCOPE).length === count),
  ),
  lost(
    "its members of a group",
    "members",
    ({ groups }, _far, count) =>
      until(() => groups.members(DEFAULT_SCOPE, "group").length === count),
  ),
  lost("its rooms", "rooms", () => new Promise((wake) => setTimeout(wake, 1000))),
  {
    name: "timers: messages due at once",
    prepare: async (count) => {
      const parts = await startNear();
      const actors = await idleActors(parts, count);
      return {
        run: async () => {
          const at = parts.system.now();
          for (let i = 0; i < count; i += 1000) {
            for (const { pid } of actors.slice(i, i + 1000)) {
              parts.system.sendAfter(pid, 1, at + 2000 - parts.system.now());
            }
            await new Promise((wake) => setTimeout(wake, 0));
          }
          await until(() => actors.every(({ handled }) => handled === 1));
        },
      };
    },
  },
  {
    name: "timers: calls that time out at once",
    prepare: async (count) => {
      const parts = await startNear();
      const [target] = await idleActors(parts, 1) as [Actor];
      return {
        run: async () => {
          const at = parts.system.now();
          let failed = 0;
          for (let i = 0; i < count; i += 500) {
            for (let k = 0; k < 500; k++) {
              const timeout = at + 3000 - parts.system.now();
              parts.system.call(target.pid, 1, { timeout }).catch(() => failed++);
            }
            await new Promise((wake) => setTimeout(wake, 0));
          }
          await until(() => failed === count);
        },
      };
    },
  },
  {
    name: "timers: set in one turn far ahead",
    prepare: async (count) => {
      const parts = await startNear();
      const [target] = await idleActors(parts, 1) as [Actor];
      return {
        run: async () => {
          for (let i = 0; i < count; i++) {
            parts.system.sendAfter(target.pid, 1, 60_000);
            if (i % 500 === 499) await new Promise((wake) => setTimeout(wake, 0));
          }
        },
      };
    },
  },
  {
    name: "timers: ten times as many move to a lower level of the wheel",
    prepare: async (count) => {
      const { system } = await startNear();
      const at = Math.ceil((system.now() + 10_000) / 256) * 256;
      for (let i = 0; i < count * 10; i++) {
        system.setTimer(new Deadline(() => {}), at + 250 - system.now());
        if (i % 5_000 === 4_999) await new Promise((wake) => setTimeout(wake, 0));
      }
      return { run: () => until(() => system.now() > at + 300) };
    },
  },
  {
    name: "node.stop: actors",
    prepare: async (count) => {
      const node = await Node.start({ logLevel: "silent", warnings: { eventLoopDelay: Infinity } });
      for (let i = 0; i < count; i++) {
        node.spawn(idle);
        if (i % 1_000 === 999) await new Promise((wake) => setTimeout(wake, 0));
      }
      await new Promise((wake) => setTimeout(wake, 200));
      return { run: () => node.stop() };
    },
  },
  {
    name: "children: 30,000 static start",
    prepare: async () => {
      const node = await Node.start({ logLevel: "silent", warnings: { eventLoopDelay: Infinity } });
      const children = specs(30_000);
      return { run: () => Supervisor.start(node, { children }) };
    },
  },
  ...["one_for_one", "one_for_all"].map((strategy): Event => ({
    name: `children: 30,000 static ${strategy} crash`,
    prepare: async () => {
      const node = await Node.start({ logLevel: "silent", warnings: { eventLoopDelay: Infinity } });
      const children = specs(30_000);
      const tree = await Supervisor.start(node, {
        children,
        strategy: strategy as "one_for_all",
        intensity: 1e9,
      });
      const list = await tree.whichChildren();
      return {
        run: async () => {
          for (let i = 0; i < (strategy === "one_for_one" ? list.length : 1); i++) {
            node.exit(list[i]!.pid!, "kill");
            if (i % 500 === 499) await new Promise((wake) => setTimeout(wake, 0));
          }
          for (let active = 0; active < list.length;) {
            await new Promise((wake) => setTimeout(wake, 50));
            active = (await tree.countChildren()).active;
          }
        },
      };
    },
  })),
  {
    name: "children: 30,000 static stop",
    prepare: async () => {
      const node = await Node.start({ logLevel: "silent", warnings: { eventLoopDelay: Infinity } });
      const tree = await Supervisor.start(node, { children: specs(30_000) });
      return {
        run: async () => {
          node.exit(tree.pid, "shutdown");
          await until(() => !node.isAlive(tree.pid));
        },
      };
    },
  },
  {
    name: "children: 30,000 dynamic stop",
    prepare: async () => {
      const node = await Node.start({ logLevel: "silent", warnings: { eventLoopDelay: Infinity } });
      const tree = await DynamicSupervisor.start(node);
      for (let i = 0; i < 30_000; i++) await tree.startChild({ start });
      return {
        run: async () => {
          node.exit(tree.pid, "shutdown");
          await until(() => !node.isAlive(tree.pid));
        },
      };
    },
  },
  {
    name: "names: a node joins one that has them",
    prepare: async (count) => {
      const parts = await startNear();
      const far = await startFar(parts.mesh.name, "names", count);
      await until(() => parts.global.names().length === count);
      parts.mesh.disconnect(far.name);
      await until(() => parts.global.names().length === 0);
      return {
        run: async () => {
          await parts.mesh.connect(far.name);
          let last = -1;
          await until(() => {
            const found = parts.global.whereis(`name ${count - 1}`) !== undefined;
            const done = found && last === 1;
            last = found ? 1 : 0;
            return done;
          });
          await new Promise((wake) => setTimeout(wake, 300));
        },
      };
    },
  },
  {
    name: "names: registered in windows of 500",
    prepare: async (count) => {
      const parts = await startNear();
      const far = await startFar(parts.mesh.name, "actors", 1);
      await until(() => parts.remote.nodeLink(far.name) !== undefined);
      const [actor] = await idleActors(parts, 1) as [Actor];
      return {
        run: async () => {
          for (let i = 0; i < count; i += 500) {
            const window = Array.from(
              { length: 500 },
              (_, k) => parts.global.register(`name ${i + k}`, actor.pid as Pid),
            );
            await Promise.all(window);
          }
        },
      };
    },
  },
  {
    name: "names: a peer registers them",
    prepare: async (count) => {
      const parts = await startNear();
      return {
        run: async () => {
          await startFar(parts.mesh.name, "names", count);
          await until(() => parts.global.whereis(`name ${count - 1}`) !== undefined);
        },
      };
    },
  },
  {
    name: "groups: a node joins one that has them",
    prepare: async (count) => {
      const parts = await startNear();
      return {
        run: async () => {
          await startFar(parts.mesh.name, "groups", count);
          await until(() => parts.groups.count === count);
        },
      };
    },
  },
  {
    name: "node.stop: monitors, links and names of another node",
    prepare: async (count) => {
      const parts = await startNear();
      const far = await startFar(parts.mesh.name, "actors", count);
      const [watcher] = await idleActors(parts, 1) as [Actor];
      for (const pid of farPids(parts, far, count)) watcher.monitor(pid);
      await answered(parts, far);
      return { run: () => parts.mesh.stop() };
    },
  },
];
