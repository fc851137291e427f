/**
 * The thread that writes batches into a SQLite file, with a connection of its own: `sqlite_thread.ts` starts
 * it. While another process holds the file it waits; nobody else is on this thread.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { SqliteBatches } from "./sqlite_batch.ts";
import { guarded, messageOf } from "./sqlite_error.ts";
import { BUSY_MS_MAX, setModes } from "./sqlite_modes.ts";
import { packOutcomes, unpackRows } from "./sqlite_pack.ts";
import type { Order, Report, SqliteFile } from "./sqlite_thread.ts";
import { StorageError } from "./error.ts";

const { path, fullSync } = workerData as SqliteFile;
let opened: { readonly db: DatabaseSync; readonly batches: SqliteBatches } | undefined;

function open(): NonNullable<typeof opened> {
  if (opened !== undefined) return opened;
  const db = new DatabaseSync(path);
  try {
    setModes(db, fullSync, BUSY_MS_MAX);
    return opened = { db, batches: new SqliteBatches(db) };
  } catch (error) {
    db.close();
    throw error;
  }
}

function write({ now, rows }: Extract<Order, { kind: "write" }>): string {
  return guarded(() => {
    const { db, batches } = open();
    db.exec("BEGIN IMMEDIATE");
    try {
      const outcomes = batches.write(unpackRows(rows), now);
      db.exec("COMMIT");
      return packOutcomes(outcomes);
    } catch (error) {
      rollBack(db);
      throw error;
    }
  });
}

function rollBack(db: DatabaseSync): void {
  try {
    db.exec("ROLLBACK");
  } catch {
    // Some failures (a full disk) have rolled back already.
  }
}

function reportOf(order: Order): Report {
  if (order.kind === "close") {
    opened?.db.close();
    opened = undefined;
    return { kind: "closed" };
  }
  const { id } = order;
  try {
    return { kind: "written", id, outcomes: write(order) };
  } catch (error) {
    // What is no error of the database's is ours: the same again would fail again.
    const retry = error instanceof StorageError && error.retry;
    return { kind: "failed", id, message: messageOf(error), retry };
  }
}

parentPort!.on("message", (order: Order) => parentPort!.postMessage(reportOf(order)));
