/** A parent program. Prints the list of its workers whenever it changes. */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { cores } from "../../lib/cores/cores.ts";

const group = await cores(fileURLToPath(new URL("./worker.ts", import.meta.url)), { count: 1 });
let last = "";
setInterval(() => {
  const workers = JSON.stringify(group.workers());
  if (workers !== last) process.stdout.write(`workers ${last = workers}\n`);
}, 20);
