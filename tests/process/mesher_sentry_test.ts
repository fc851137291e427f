/**
 * A genuine Sentry SDK pointed at Mesher. It is had from npm; where that cannot be reached the test says so
 * and is passed over.
 */
import { assert, assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { idOf } from "../../mesher/domain/id.ts";
import { test, until } from "../kit/test.ts";
import { onStage } from "../mesher/end_to_end_kit.ts";

const CHILD = fileURLToPath(new URL("mesher_sentry_child.ts", import.meta.url));
const SDK = "npm:@sentry/deno@9.47.1";
const MISSING = 3;

/** Runs the program; its status, and what it printed. */
function report(dsn: string): Promise<{ status: number | null; printed: string; said: string }> {
  const deno = "Bun" in globalThis ? process.env["DENO_BIN"] ?? "deno" : process.execPath;
  const args = ["run", "-A", "--no-config", "--no-lock", CHILD, SDK, dsn];
  const child = spawn(deno, args, { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err]: string[][] = [[], []];
  child.stdout.setEncoding("utf8").on("data", (text: string) => out!.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => err!.push(text));
  return new Promise((resolve) =>
    child.on("close", (status) => resolve({ status, printed: out!.join(""), said: err!.join("") }))
  );
}

test("mesher: a genuine Sentry SDK reports an exception, with its stack, tags and breadcrumbs", {
  timeout: 180_000,
}, async () => {
  await onStage(async ({ app, first, user }) => {
    const dsn = `${app.url.replace("://", `://${first.key}@`)}/1`;
    const { status, printed, said } = await report(dsn);
    if (status === MISSING) {
      process.stderr.write(`passed over: ${said}`);
      return;
    }
    assertEquals(status, 0, said);
    const { id, message, isFlushed } = JSON.parse(printed);
    assert(isFlushed, said);
    let got = await user.get(`/api/v1/events/${idOf(id)}`);
    await until("it is stored", async () => {
      got = await user.get(`/api/v1/events/${idOf(id)}`);
      return got.status === 200;
    });
    const { event } = got.json;
    assertEquals(event.title, "BasketError: cannot empty 3 baskets");
    assertEquals(event.exception.at(-1).frames.at(-1).function, "emptyTheBasket");
    assert(event.exception.at(-1).frames.at(-1).line > 0);
    assertEquals([event.release, event.environment], ["shop@1.2.3", "staging"]);
    assertEquals([event.tags.checkout, event.user_context.id], ["yes", "42"]);
    assertEquals(event.breadcrumbs.at(-1).message, "pressed the button");
    assertEquals(event.sdk_name, "sentry.javascript.deno");
    const plain = await user.get(`/api/v1/events/${idOf(message)}`);
    assertEquals([plain.json.event.level, plain.json.event.message], [
      "warning",
      "a plain message",
    ]);
  });
});
