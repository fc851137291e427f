/**
 * The commands of the shell. Each returns a value, which is printed as text or as JSON.
 *
 * @module
 */
import type { ActorInfo } from "./actor_info.ts";
import type { Sys } from "./sys.ts";
import type { NodeStats } from "./stats.ts";
import type { TopActor, TopOptions } from "./top.ts";
import type { TreeEntry } from "./tree.ts";
import type { Pid } from "../term/pid.ts";
import { ObserveError } from "./error.ts";

/** The part of `Node` that the shell uses. */
export interface ShellNode {
  /** The name of this node. */
  readonly name: string;
  /** Returns the names of the connected nodes, as `Node.peers` does. */
  peers(): string[];
  /** Returns information about an actor, as `Node.info` does. */
  info(pid: Pid<never>): Promise<ActorInfo>;
  /** Returns the actors of a node with the highest figures, as `Node.top` does. */
  top(options?: TopOptions): Promise<TopActor[]>;
  /** Returns the supervision trees of a node, as `Node.tree` does. */
  tree(options?: { readonly node?: string | undefined }): Promise<TreeEntry[]>;
  /** Returns the statistics of a node, as `Node.stats` does. */
  stats(options?: { readonly node?: string | undefined }): Promise<NodeStats>;
  /** Inspects and controls actors, as `Node.sys` does. */
  readonly sys: Sys;
}

/** The state of a shell session. */
export interface ShellContext {
  readonly node: ShellNode;
  /** The node that commands apply to. The command `use` changes it. */
  current: string;
}

/** A command of the shell. */
export interface ShellCommand {
  /** The syntax of the command, for `help`. */
  readonly usage: string;
  readonly help: string;
  run(context: ShellContext, args: readonly string[]): Promise<unknown>;
}

/** The commands of the shell, by name. */
export const SHELL_COMMANDS: Readonly<Record<string, ShellCommand>> = {
  nodes: {
    usage: "nodes",
    help: "the nodes, with their queues and round trips",
    run: async ({ node }) => await Promise.all(node.peers().map((name) => nodeRow(node, name))),
  },
  use: {
    usage: "use NODE",
    help: "selects the node that commands apply to",
    // deno-lint-ignore require-await -- throws become rejections
    run: async (context, [name = ""]) => {
      const found = context.node.peers().find((peer) =>
        peer === name || peer.startsWith(`${name}@`)
      );
      if (found === undefined) throw new ObserveError("badarg", `there is no node ${name}`);
      return context.current = found;
    },
  },
  stats: {
    usage: "stats [NODE]",
    help: "counts: actors, messages, event loop, memory, sessions, warnings",
    run: ({ node, current }, [name]) => node.stats({ node: named(node, name) ?? current }),
  },
  tree: {
    usage: "tree [NODE]",
    help: "the supervision trees, with states and restarts",
    run: ({ node, current }, [name]) => node.tree({ node: named(node, name) ?? current }),
  },
  top: {
    usage: "top [mailbox|time|rate|timers] [COUNT]",
    help: "the actors with the highest values",
    run: ({ node, current }, [by = "mailbox", count = "10"]) =>
      node.top({ by: by as never, count: Number(count), node: current }),
  },
  info: {
    usage: "info ACTOR",
    help: "an actor: a pid such as <0.42>, its number, or its name",
    run: async (context, args) => await context.node.info(await actor(context, args)),
  },
  state: {
    usage: "state ACTOR",
    help: "the state of a service, the children of a supervisor",
    run: async (context, args) => await context.node.sys.state(await actor(context, args)),
  },
  trace: {
    usage: "trace ACTOR [MESSAGES]",
    help: "the next messages that an actor handles, at most 10 s",
    run: async (context, args) =>
      await context.node.sys.trace(await actor(context, args), { count: Number(args[1] ?? 10) }),
  },
  log: {
    usage: "log [COUNT]",
    help: "the recent events of the node: its flight recorder",
    run: async ({ node, current }, [count = "20"]) =>
      (await node.sys.recent({ node: current })).slice(-Number(count))
        .map(({ time, level, event, pid, message }) => ({
          time: new Date(time).toISOString(),
          level,
          event,
          pid,
          message,
        })),
  },
  suspend: {
    usage: "suspend ACTOR",
    help: "suspends an actor: it takes no messages until it is resumed",
    run: async (context, args) => await context.node.sys.suspend(await actor(context, args)),
  },
  resume: {
    usage: "resume ACTOR",
    help: "ends a suspension",
    run: async (context, args) => await context.node.sys.resume(await actor(context, args)),
  },
  kill: {
    usage: "kill ACTOR",
    help: "ends an actor; its supervisor restarts it",
    run: async (context, args) => await context.node.sys.exit(await actor(context, args), "kill"),
  },
  leave: {
    usage: "leave [NODE]",
    help: "makes a node leave its cluster and stop",
    run: ({ node, current }, [name]) => node.sys.leave({ node: named(node, name) ?? current }),
  },
};

/** Returns the full name of the node that a command names. */
function named(node: ShellNode, name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  return node.peers().find((peer) => peer.startsWith(`${name}@`)) ?? name;
}

async function nodeRow(node: ShellNode, name: string): Promise<Record<string, unknown>> {
  try {
    const { actors, messages, eventLoop, memory, sessions, warnings, runtime } = await node.stats({
      node: name,
    });
    return {
      node: name,
      runtime,
      actors,
      messages,
      loopMs: eventLoop.max,
      heapMiB: memory && Math.round(memory.heapUsed / 2 ** 20),
      sessions: sessions.length,
      slowest: Math.max(0, ...sessions.map(({ roundTripMs }) => roundTripMs ?? Infinity)),
      queued: sessions.reduce((sum, { queued }) => sum + queued, 0),
      warnings: Object.values(warnings).reduce((sum, count) => sum + count, 0),
    };
  } catch (error) {
    return { node: name, error: (error as Error).message };
  }
}

/** Returns the pid of the actor that a command names. */
async function actor(
  { node, current }: ShellContext,
  [text = ""]: readonly string[],
): Promise<Pid> {
  // Accepts <name@host:port 42.creation>, and <0.42> or 42 for the current node.
  const [, where, far, near] = /^<(\S+) (\d+)\.\d+>$|^(?:<0\.)?(\d+)>?$/.exec(text) ?? [];
  const id = far ?? near;
  const found = await node.sys.find(id === undefined ? text : Number(id), {
    node: where ?? current,
  });
  if (found !== undefined) return found;
  throw new ObserveError("noproc", `there is no actor ${text} on ${where ?? current}`);
}

/** Returns how a line can be completed: with names of commands, nodes and actors. */
export function completions(context: ShellContext, line: string): string[] {
  const [command = "", ...rest] = line.split(/\s+/);
  if (rest.length === 0) {
    return [...Object.keys(SHELL_COMMANDS), "help", "exit"].filter((name) =>
      name.startsWith(command)
    );
  }
  const word = rest.at(-1)!;
  const words = command === "top"
    ? ["mailbox", "time", "rate", "timers"]
    : ["use", "stats", "tree", "leave"].includes(command)
    ? context.node.peers().flatMap((name) => [name, name.split("@")[0]!])
    : [];
  return words.filter((each) => each.startsWith(word));
}
