import { assert, assertEquals, assertRejects } from "@std/assert";
import { inspect } from "node:util";
import { Node } from "../../mod.ts";
import { deriveKeys } from "../../lib/mesh/identity.ts";
import { test } from "../kit/test.ts";

const COOKIE = "5b1e0c97d24fa86d3379c0e15a8f42bd";
const OTHER = "9d41c7e2a05f8b36714eccd0b8a2f915";

test("A node's logs, errors and inspections contain neither the cookie nor its keys", async () => {
  const lines: string[] = [];
  const log = ({ line }: { line: string }) => void lines.push(line);
  const options = { logLevel: "debug", log, joinTimeout: 0 } as const;
  await using a = await Node.start({ ...options, name: "a@127.0.0.1:0", cookie: COOKIE });
  await using b = await Node.start({ ...options, name: "b@127.0.0.1:0", cookie: OTHER });
  const error = await assertRejects(() => b.connect(a.name), Error);
  const Bun = (globalThis as { Bun?: { inspect(value: unknown, options: object): string } }).Bun;
  const shown = [
    inspect(a, { depth: 20, showHidden: true }),
    inspect(error, { depth: 20, showHidden: true }),
    "Deno" in globalThis ? Deno.inspect(a, { depth: 20 }) : Bun!.inspect(a, { depth: 20 }),
    JSON.stringify(a),
    String(a),
    ...lines,
  ].join("\n");
  assert(shown.length > 100);
  const { proofKey } = await deriveKeys(COOKIE);
  for (const secret of [COOKIE, OTHER, proofKey.toHex(), "PRIVATE KEY"]) {
    assertEquals(shown.includes(secret), false, secret);
  }
});
