/**
 * Prints the hash of each of some seeds, for a comparison of runtimes.
 */
import process from "node:process";
import { story } from "./story.ts";

const hashes: string[] = [];
for (let seed = 1; seed <= 20; seed++) hashes.push((await story(seed)).hash);
process.stdout.write(hashes.join(" ") + "\n");
