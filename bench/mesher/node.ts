/**
 * A node of Mesher, started by the bench as a process:
 *
 *     node.ts <database> <full|normal>
 *
 * The same as `deno task mesher`, without rate limits of projects. Prints its port, and stops when
 * its input ends.
 *
 * @module
 */
import process from "node:process";
import { startApp } from "../../mesher/app.ts";
import { readConfig, storageConfig } from "../../mesher/config.ts";
import { openStorage } from "../../mesher/storage/open.ts";

const [database, sync] = process.argv.slice(2) as [string, string];
const env = { MESHER_HTTP_PORT: "0", MESHER_WS_PORT: "0", MESHER_RATE_LIMIT: "1000000000" };
const config = readConfig({ ...env, DATABASE_URL: database }, { memory: false });
const storage = await openStorage({
  ...storageConfig(database),
  sqliteFullSync: sync === "full",
});
const log = (level: string, text: string): void => {
  if (level !== "info") process.stderr.write(`${text}\n`);
};
const app = await startApp(config, { log, storage });
process.stdout.write(`${app.mesher.ports.http}\n`);
process.stdin.on("end", async () => {
  await app.stop();
  process.exit(0);
}).resume();
