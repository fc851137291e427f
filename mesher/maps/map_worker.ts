/**
 * A thread that reads source maps, started by `map_thread.ts`: parsing a map of 30 MB takes a
 * second or more.
 *
 * @module
 */
import { parentPort } from "node:worker_threads";
import { provideLibrary } from "./library.ts";
import { type MapOrder, MapReader } from "./map_reader.ts";
import type { MapReport } from "./map_thread.ts";

const reader = new MapReader();
/** Resolves with the reason why the library cannot be imported, or with null if it is imported. */
const problem: Promise<string | null> = provideLibrary().then(
  () => null,
  (error) => String(error?.message ?? error),
);

parentPort!.on("message", async (order: MapOrder) => {
  const words = await problem;
  const report: MapReport = words === null
    ? { id: order.id, traced: await reader.answer(order) }
    : { id: order.id, problem: words };
  parentPort!.postMessage(report);
});
