/**
 * A thread that reads source maps, started by `map_thread.ts`: parsing a map of 30 MB takes a
 * second or more.
 *
 * @module
 */
import { parentPort } from "node:worker_threads";
import { type MapOrder, MapReader } from "./map_reader.ts";
import type { MapReport } from "./map_thread.ts";
import { canTrace } from "./trace.ts";

const reader = new MapReader();

parentPort!.on("message", async (order: MapOrder) => {
  const report: MapReport = await canTrace()
    ? { id: order.id, traced: await reader.answer(order) }
    : { id: order.id, traced: "no library" };
  parentPort!.postMessage(report);
});
