/**
 * A node with stored shards in its own process: each shard is a list of numbers, in a SQLite file
 * that all processes share.
 */
import process from "node:process";
import { type Shards, shards } from "../../lib/cluster/shards.ts";
import { service } from "../../lib/otp/service.ts";
import { sqliteStore } from "../../lib/otp/sqlite_store.ts";
import { startCheaply } from "../kit/keys.ts";
import { now, takeCommands, tell } from "../kit/child_commands.ts";

interface List {
  state: readonly number[];
  call: { add(item: number): number; all(): readonly number[] };
}

const list = service<List>({
  init: () => [],
  call: {
    add: (items, item) => [items.length + 1, [...items, item]],
    all: (items) => [items, items],
  },
});

takeCommands(async (options) => {
  const node = await startCheaply(options);
  let lists!: Shards<List>;
  tell({ event: "ready", at: now(), name: node.name, pid: process.pid });
  return async (command) => {
    const { key, item, path } = command as unknown as { key: string; item: number; path: string };
    switch (command.do) {
      case "open": {
        const store = sqliteStore(path, { synchronous: "normal" });
        lists = shards(node, "list", { actor: list, persist: { store }, passivateAfter: 2_000 });
        return true;
      }
      case "peers":
        return node.peers();
      case "add":
        return await lists.call(key, { timeout: 3_000 }).add(item);
      case "all":
        return await lists.call(key, { timeout: 10_000 }).all();
      case "nodes":
        return lists.nodes();
      default:
        throw new Error(`unknown command ${command.do}`);
    }
  };
});
