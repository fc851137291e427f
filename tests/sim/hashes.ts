/** Prints the hashes of some seeds, which must be the same on all runtimes. */
import process from "node:process";
import { chaos } from "./chaos.ts";
import { PROMISES, promisesOf } from "./promises/all.ts";
import { shortHistory } from "./short_history.ts";

const hashes: string[] = [];
for (let seed = 1; seed <= 4; seed++) {
  hashes.push((await shortHistory(seed)).hash);
  hashes.push((await chaos(seed, promisesOf(seed, Object.keys(PROMISES)))).hash);
}
process.stdout.write(hashes.join(" ") + "\n");
