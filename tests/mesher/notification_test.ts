// deno-lint-ignore-file no-console
/**
 * Tests outgoing alerts: the format of each channel, mail by a real SMTP server, cooldowns of
 * issues, the test button.
 */
import { assert, assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { actionFrom, actionJson } from "../../mesher/domain/alert.ts";
import { type Allowed, allowedFrom } from "../../mesher/domain/address.ts";
import { type Notification, outgoingOf } from "../../mesher/domain/notification.ts";
import { attemptMail } from "../../mesher/pipeline/mail.ts";
import { providePackage } from "./driver.ts";
import { runtime, test, until } from "../kit/test.ts";
import { onStage } from "./end_to_end_kit.ts";
import { withReceiver } from "./receiver.ts";

const CHILD = fileURLToPath(new URL("./smtp_child.ts", import.meta.url));

const NOTE: Notification = {
  rule: "New & odd",
  project: "Shop",
  level: "error",
  text: "New issue: TypeError: <x> | @everyone",
  link: "https://errors.example/#/issues/1",
  json: { type: "alert", alert_id: "a" },
};

test("outgoingOf returns the link, level and text in the format of each channel", () => {
  const url = "https://hooks.example/x";
  const json = (kind: "webhook" | "slack" | "discord") => {
    const outgoing = outgoingOf({ kind, url }, NOTE);
    assert(outgoing?.kind === "post" && outgoing.url === url);
    return JSON.parse(outgoing.json);
  };
  const { level, text, link, alert_id } = json("webhook");
  assertEquals([level, text, link, alert_id], ["error", NOTE.text, NOTE.link, "a"]);
  const slack = json("slack");
  assertEquals(slack.text, "[error] Shop: New issue: TypeError: &lt;x&gt; | @everyone");
  assert(slack.attachments[0].text.startsWith(`*error* <${NOTE.link}|New issue`));
  const discord = json("discord");
  assertEquals(discord.allowed_mentions, { parse: [] });
  assertEquals([discord.embeds[0].url, discord.embeds[0].description], [NOTE.link, NOTE.text]);
  const mail = outgoingOf({ kind: "email", to: ["a@b.example"] }, { ...NOTE, text: "one\r\ntwo" });
  assert(mail?.kind === "mail" && mail.text.includes(NOTE.link!));
  assertEquals(mail.subject, "[error] Shop: one two");
  assertEquals(outgoingOf({ kind: "websocket" }, NOTE), null);
});

test("actionFrom accepts every channel and rejects values that could inject a header", () => {
  for (
    const action of [
      { type: "websocket" },
      { type: "slack", url: "https://hooks.slack.example/a" },
      { type: "discord", url: "https://discord.example/a" },
      { type: "email", to: ["a@b.example", "c@d.example"] },
    ]
  ) {
    const parsed = actionFrom(action);
    assert(parsed.ok);
    assertEquals(actionJson(parsed.value), action);
  }
  for (const to of ["", [], ["a"], ["a@b\r\nBcc: c@d"], ["a@b,c@d"], Array(21).fill("a@b.c"), 5]) {
    assertEquals(actionFrom({ type: "email", to }).ok, false, JSON.stringify(to));
  }
});

test("A rule's cooldown applies per issue, and suppressed alerts are counted", async () => {
  await withReceiver((_request, response) => response.end(), async ({ url, got }) => {
    const webhookAllow = allowedFrom(["127.0.0.0/8"]) as Allowed;
    let now = Date.now();
    await onStage(
      async ({ user, sender, app }) => {
        const made = await user.post("/api/v1/projects/default/alert-rules", {
          name: "came back",
          condition: { condition_type: "regression" },
          action: { type: "webhook", url: `${url}/hook` },
          cooldown_minutes: 10,
        });
        assertEquals(made.status, 201);
        const issues = async (): Promise<{ id: string; title: string; status: string }[]> =>
          (await user.get("/api/v1/projects/default/issues")).json.data;
        const again = async (message: string): Promise<void> => {
          const found = (await issues()).find(({ title }) => title === message);
          if (found) await user.post(`/api/v1/issues/${found.id}/resolve`, {});
          await sender.post("/api/v1/events", { message });
          await until(
            `${message} is stored`,
            async () =>
              (await issues()).some(({ title, status }) =>
                title === message && status === "unresolved"
              ),
          );
        };
        const alerts = async (): Promise<{ message: string; suppressed: number }[]> =>
          (await user.get("/api/v1/projects/default/alerts")).json;
        for (const message of ["alpha", "beta"]) await again(message);
        for (const message of ["alpha", "beta"]) await again(message);
        await until("both issues have fired", () => got.length === 2);
        await again("alpha");
        await until(
          "an alert is suppressed",
          async () => (await alerts()).some(({ suppressed }) => suppressed === 1),
        );
        assertEquals(got.length, 2);
        now += 11 * 60_000;
        await again("alpha");
        await until("the next alert fires", () => got.length === 3);
        const last = JSON.parse(got[2]!.body);
        assert(last.text.endsWith("(1 more was suppressed since the last alert)"), last.text);
        assert(last.link.startsWith(`${app.url}/#/issues/`), last.link);
        const tested = await user.post(`/api/v1/alert-rules/${made.json.id}/test`);
        assertEquals(tested.json, { delivered: true, error: null });
        assertEquals(JSON.parse(got[3]!.body).test, true);
      },
      { webhookAllow },
      undefined,
      () => now,
    );
  });
});

const missing = await providePackage("nodemailer@10.6.0");
if (missing !== undefined) console.log(`notification_test: mail skipped, ${missing}`);
else {
  test("attemptMail delivers to an SMTP server, and reports why a delivery failed", async () => {
    const run = runtime === "deno" ? ["run", "-A", "--no-check", CHILD] : [CHILD];
    const child = spawn(process.execPath, run, { stdio: ["pipe", "pipe", "inherit"] });
    const ended = new Promise((done) => child.once("close", done));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const port = (await lines.next()).value;
    const mail = { to: ["ada@b.example"], subject: "[error] Ü", text: "what\n\nhttps://x/" };
    const from = "Mesher <m@h.example>";
    const by = (login: string) =>
      attemptMail({ url: `smtp://${login}127.0.0.1:${port}`, from }, mail);
    try {
      assertEquals(await by("u:right@"), { kind: "delivered" });
      const got = JSON.parse((await lines.next()).value!) as string;
      assert(got.includes("To: ada@b.example") && got.includes("https://x/"), got);
      const refused = await by("u:s3cret@");
      assertEquals(refused, { kind: "failed", why: "SMTP: EAUTH (535)", again: false });
      const none = await attemptMail(null, mail);
      assert(none.kind === "failed" && none.why.includes("MESHER_SMTP_URL"));
    } finally {
      child.stdin.end();
      await ended;
    }
    const away = await by("");
    assert(away.kind === "failed" && away.again);
  });
}
