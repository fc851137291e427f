/** Tests the size of the bundled client for browsers. Only Bun includes a bundler. */
import { assert } from "@std/assert";
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { runtime, test } from "../kit/test.ts";

/** Maximum compressed size of the client that a page loads, in bytes. */
const BYTES_MAX = 4_096;

interface Bundler {
  build(options: { entrypoints: string[]; minify: boolean; target: "browser" }): Promise<
    { success: boolean; outputs: { text(): Promise<string> }[] }
  >;
}

test("the client is at most 4 KiB when bundled and compressed, and imports nothing", {
  ignore: runtime !== "bun",
}, async () => {
  const { Bun } = globalThis as unknown as { Bun: Bundler };
  const file = fileURLToPath(new URL("../../lib/client/socket.ts", import.meta.url));
  const { success, outputs } = await Bun.build({
    entrypoints: [file],
    minify: true,
    target: "browser",
  });
  assert(success && outputs.length === 1);
  const code = await outputs[0]!.text();
  assert(!/\bimport\b/.test(code));
  const { length } = gzipSync(code);
  assert(length <= BYTES_MAX, `${length} bytes`);
});
