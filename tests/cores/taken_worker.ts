/** A worker whose server cannot listen, because its port is in use. */
import process from "node:process";
import { core } from "../../lib/cores/cores.ts";

await core((node) => node.serve({ port: Number(process.argv.at(-1)), message: () => {} }), {
  logLevel: "error",
});
