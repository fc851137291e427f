/** A worker whose setup fails before it is ready. */
import { core } from "../../lib/cores/cores.ts";

await core(() => {
  throw new Error("the setup has failed");
}, { logLevel: "error" });
