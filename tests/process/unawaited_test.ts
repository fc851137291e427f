/**
 * Tests that a rejection that was not awaited does not end the process if it belongs to a node, and
 * does end it otherwise.
 */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { outputOf } from "../kit/run.ts";
import { runtime, test } from "../kit/test.ts";

const CHILD = fileURLToPath(new URL("./unawaited_child.ts", import.meta.url));
const COMMAND = runtime === "deno" ? ["run", "-A", "--no-check", CHILD] : [CHILD];

const HOW = ["noproc", "late", "refused"];
const WAYS = ["alone", "then", "thens", "finally", "helper", "all"];

for (const listens of [false, true]) {
  const where = listens ? ", where the program listens for rejections itself" : "";
  test(`a failed call that is not awaited ends its actor without ending the process${where}`, async () => {
    const argument = listens ? ["listener"] : [];
    const output = await outputOf(process.execPath, [...COMMAND, ...argument]);
    const { alive, careful, observed, logged } = JSON.parse(output);
    assertEquals([alive, careful], [0, true]);
    for (const request of HOW.flatMap((how) => WAYS.map((way) => `${how} ${way}`))) {
      const [outside, inside] = [`"${request} outside"`, `"${request}"`].map((quoted) =>
        logged.filter((line: string) => line.includes(quoted))
      );
      assertEquals([outside.length, inside.length], [1, 1], `${request}: ${logged.join("\n")}`);
      assert(outside[0].includes("outside of actors did not await what failed"), outside[0]);
      assert(/actor <0\.\d+> .*did not await what failed/.test(inside[0]), inside[0]);
    }
    // Ignores async helpers and `Promise.all`. They have promises of their own, which reject too
    // and which Deno reports.
    const direct = observed.filter((reason: string) => !/ (helper|all)( outside)?\b/.test(reason));
    assertEquals(direct, []);
  });
}

test("a rejection that belongs to no node ends the process", async () => {
  const words = await outputOf(process.execPath, [...COMMAND, "other"]).catch((error) => error);
  assert(words instanceof Error && words.message.includes("unrelated to a node"), `${words}`);
  assert(!words.message.includes("it lives"));
});

test("an ignored promise of a node, service, supervisor or task ends its actor without ending the process", async () => {
  const child = fileURLToPath(new URL("./unawaited_api_child.ts", import.meta.url));
  const command = runtime === "deno" ? ["run", "-A", "--no-check", child] : [child];
  const { expected, alive, reports } = JSON.parse(await outputOf(process.execPath, command));
  assertEquals([reports.length, alive], [expected, 0], reports.join("\n"));
  for (const report of reports) {
    const words = report.split(" ");
    assertEquals(words.at(-1), words.at(-2), `${report}: the body's name ends with the error's`);
  }
});
