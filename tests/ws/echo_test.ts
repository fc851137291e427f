import { assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { makeHost } from "../kit/host.ts";
import { runtime, test, until } from "../kit/test.ts";
import { RawClient } from "../kit/ws_client.ts";

const host = makeHost();
const file = fileURLToPath(new URL("../../scripts/echo.ts", import.meta.url));

test("echo sends every message back, and exits with 0 on SIGTERM and SIGINT", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const child = host.spawn({ runtime, file, args: ["--port", "0"] });
    const lines: string[] = [];
    child.lines((line) => lines.push(line));
    await until("the server is listening", () => lines.length > 0);
    assertMatch(lines[0]!, /^Echoing on ws:\/\/127\.0\.0\.1:\d+\/$/);
    const client = await RawClient.open(host, Number(lines[0]!.match(/(\d+)\/$/)![1]));
    client.send({ payload: "é" });
    client.send({ opcode: 2, payload: new Uint8Array(70_000) });
    assertEquals(await client.nextText(), "é");
    const { opcode, payload } = await client.next();
    assertEquals([opcode, payload.length], [2, 70_000]);
    child.signal(signal);
    assertEquals((await client.closeFrame()).code, 1001);
    assertEquals(await child.ended, 0);
    await client.gone();
    assertEquals(lines.length, 1);
  }
});

test("echo exits with 1 for an invalid option or a port in use", async () => {
  const listener = await host.listen(
    { hostname: "127.0.0.1", port: 0 },
    (stream) => stream.abort(),
  );
  for (const args of [["--prot", "1"], ["--port", "x"], ["--port", `${listener.address.port}`]]) {
    const child = host.spawn({ runtime, file, args });
    child.lines(() => {});
    assertEquals(await child.ended, 1, args.join(" "));
  }
  await listener.close();
});
