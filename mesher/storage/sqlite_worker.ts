/**
 * A thread with its own connection to a SQLite file, started by `sqlite_thread.ts`. It waits while
 * another process has locked the file.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { StorageError } from "./error.ts";
import { SqliteConnection, type SqliteFile } from "./sqlite_connection.ts";
import { isBusy, messageOf } from "./sqlite_error.ts";
import { packOutcomes, unpackRows } from "./sqlite_pack.ts";
import type { Order, Report } from "./sqlite_thread.ts";

let opened: SqliteConnection | undefined;

function valueOf(order: Exclude<Order, { kind: "close" }>): unknown {
  const connection = opened ??= new SqliteConnection(workerData as SqliteFile);
  switch (order.kind) {
    case "write":
      return packOutcomes(connection.write(unpackRows(order.rows), order.now));
    case "rows":
      return connection.rows(order.sql, order.params);
    case "change":
      return connection.change(order.sql, order.params);
    case "exec":
      return connection.exec(order.sql);
  }
}

function reportOf(order: Order): Report {
  if (order.kind === "close") {
    opened?.close();
    opened = undefined;
    return { kind: "closed" };
  }
  const { id } = order;
  try {
    return { kind: "done", id, value: valueOf(order) };
  } catch (error) {
    // Any other error is a bug in Mesher, so a retry would fail again.
    const retry = error instanceof StorageError && error.retry;
    return { kind: "failed", id, message: messageOf(error), retry, busy: isBusy(error) };
  }
}

parentPort!.on("message", (order: Order) => parentPort!.postMessage(reportOf(order)));
