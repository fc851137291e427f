/** Tests webhooks: forbidden targets, timeouts, retries, and that their URLs are never logged. */
import { assert, assertEquals } from "@std/assert";
import type { ServerResponse } from "node:http";
import { readConfig } from "../../mesher/config.ts";
import {
  type Allowed,
  allowedFrom,
  isInside,
  isInsideHost,
  NOTHING_ALLOWED,
} from "../../mesher/domain/address.ts";
import { Counters } from "../../mesher/pipeline/counters.ts";
import { type AttemptOptions, attemptWebhook } from "../../mesher/pipeline/webhook.ts";
import { type Delivery, webhooks, WEBHOOKS_MAX } from "../../mesher/services/notifier.ts";
import { startCheaply } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";
import { onStage } from "./end_to_end_kit.ts";
import { withReceiver } from "./receiver.ts";

const LOOPBACK = allowedFrom(["127.0.0.0/8"]) as Allowed;

function attempt(url: string, options: Partial<AttemptOptions> = {}) {
  const { signal } = new AbortController();
  return attemptWebhook(url, '{"a":1}', { allowed: NOTHING_ALLOWED, signal, ...options });
}

test("isInside is true for loopback, private and reserved addresses in every notation", () => {
  for (
    const address of [
      ...["0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1"],
      ...["127.255.0.9", "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255"],
      ...["192.0.0.192", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "203.0.113.5"],
      ...["224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"],
      ...["::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:a00:1", "::ffff:169.254.169.254"],
      ...["64:ff9b::a00:1", "64:ff9b:1::1", "2002:a00:1::", "2002:7f00:1::1", "2001::1", "100::1"],
      ...[
        "2001:db8::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "febf::1",
        "fec0::1",
      ],
      ...["ff02::1", "3fff::1", "5f00::1", "", "localhost", "1.2.3", "1.2.3.4.5", "no address"],
    ]
  ) assert(isInside(address, NOTHING_ALLOWED), address);
  for (
    const address of [
      ...[
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
      ],
      ...["128.0.0.1", "169.253.0.1", "172.15.255.255", "172.32.0.0", "192.167.1.1", "192.169.0.0"],
      ...["198.17.0.1", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450::8b"],
      ...["::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1", "2001:200::1"],
    ]
  ) assert(!isInside(address, NOTHING_ALLOWED), address);
});

test("allowedFrom accepts names, addresses and ranges, and reports invalid ones", () => {
  const allowed = allowedFrom(["hooks.lan", "10.1.0.0/16", "fd00::/8", "[::1]"]) as Allowed;
  for (const address of ["10.1.2.3", "fd12::1", "::1", "::ffff:10.1.0.0"]) {
    assert(!isInside(address, allowed), address);
  }
  for (const address of ["10.2.0.1", "127.0.0.1", "fc00::1", "::2"]) {
    assert(isInside(address, allowed), address);
  }
  for (const wrong of ["10.0.0.0/33", "::/129", "10.0.0", "a b", "http://x", "*", "10.0.0.0/-1"]) {
    assertEquals(allowedFrom(["ok.example", wrong]), wrong);
  }
});

test("isInsideHost classifies a URL's host without a DNS lookup", () => {
  const inside = (url: string, allowed = NOTHING_ALLOWED): boolean =>
    isInsideHost(new URL(url).hostname, allowed);
  for (
    const url of [
      ...["http://127.0.0.1", "http://2130706433/", "http://0x7f.1/", "http://017700000001/"],
      ...["http://[::1]/", "http://[::ffff:7f00:1]/", "http://localhost/", "http://a.localhost./"],
      ...["http://LOCALHOST/", "http://169.254.169.254/latest/meta-data"],
    ]
  ) assert(inside(url), url);
  assert(!inside("https://hooks.example/x"));
  assert(!inside("https://1.1.1.1/x"));
  assert(!inside("http://localhost", allowedFrom(["localhost"]) as Allowed));
  assert(!inside("http://127.0.0.1", LOOPBACK));
});

test("attemptWebhook rejects internal targets without connecting to them", async () => {
  await withReceiver((_, response) => response.end(), async ({ port, got }) => {
    for (const host of ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433", "0.0.0.0"]) {
      const outcome = await attempt(`http://${host}:${port}/`);
      assert(outcome.kind === "failed" && !outcome.again, host);
      assert(/is inside this network/.test(outcome.why), outcome.why);
    }
    // A host is rejected if any of its addresses is internal, wherever that address is in the list.
    for (const addresses of [["1.1.1.1", "127.0.0.1"], ["127.0.0.1", "1.1.1.1"]]) {
      const lookup = () => Promise.resolve(addresses);
      const outcome = await attempt(`http://hooks.example:${port}/`, { lookup });
      assert(outcome.kind === "failed" && !outcome.again, String(addresses));
    }
    assertEquals(got, []);
  });
});

test("attemptWebhook looks up a host once, and connects only to addresses that it has checked", async () => {
  await withReceiver((_, response) => response.end(), async ({ port, got }) => {
    let looks = 0;
    const lookup = () => Promise.resolve(++looks === 1 ? ["127.0.0.1"] : ["127.0.0.9"]);
    const url = `http://hooks.example:${port}/x?token=1`;
    assertEquals(await attempt(url, { lookup, allowed: LOOPBACK }), { kind: "delivered" });
    assertEquals(looks, 1);
    assertEquals(got, [{ url: "/x?token=1", host: `hooks.example:${port}`, body: '{"a":1}' }]);
    // This host is allowed by name, whatever address it resolves to.
    const named = allowedFrom(["hooks.example"]) as Allowed;
    assertEquals(
      (await attempt(url, { lookup: () => Promise.resolve(["127.0.0.1"]), allowed: named })).kind,
      "delivered",
    );
  });
});

test("attemptWebhook does not follow redirects", async () => {
  await withReceiver((_, response) => response.end(), async (other) => {
    await withReceiver(
      (_, response) => response.writeHead(307, { location: other.url }).end(),
      async ({ url }) => {
        const outcome = await attempt(url, { allowed: LOOPBACK });
        assertEquals(outcome, { kind: "failed", why: "redirects are not followed", again: false });
      },
    );
    assertEquals(other.got, []);
  });
});

test("attemptWebhook times out on a silent receiver or lookup", async () => {
  await withReceiver(() => {}, async ({ url }) => {
    const outcome = await attempt(url, { allowed: LOOPBACK, timeoutMs: 50 });
    assertEquals(outcome, { kind: "failed", why: "no answer in time", again: true });
  });
  const never = () => new Promise<never>(() => {});
  const outcome = await attempt("http://hooks.example", { lookup: never, timeoutMs: 20 });
  assertEquals(outcome, { kind: "failed", why: "no answer in time", again: true });
  await withReceiver(
    (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    },
    async ({ url }) => {
      assertEquals(await attempt(url, { allowed: LOOPBACK }), { kind: "delivered" });
    },
  );
});

test("attemptWebhook distinguishes temporary from permanent failures", async () => {
  for (
    const [status, again] of [[400, false], [404, false], [408, true], [429, true], [
      500,
      true,
    ]] as const
  ) {
    await withReceiver(
      (_, response) => response.writeHead(status).end(),
      async ({ url }) => {
        const outcome = await attempt(url, { allowed: LOOPBACK });
        assertEquals(outcome, { kind: "failed", why: `HTTP ${status}`, again });
      },
    );
  }
  const outcome = await attempt("http://127.0.0.1:1/secret", { allowed: LOOPBACK });
  assert(
    outcome.kind === "failed" && outcome.again && !outcome.why.includes("127"),
    JSON.stringify(outcome),
  );
});

/** Runs `body` with the service on a node. */
async function withWebhooks(
  pausesMs: readonly number[],
  body: (
    post: (delivery: Delivery) => void,
    seen: { readonly counters: Counters; readonly lines: string[] },
  ) => Promise<void>,
): Promise<void> {
  await using node = await startCheaply({ cookie: crypto.randomUUID() });
  const counters = new Counters();
  const lines: string[] = [];
  const config = readConfig({ MESHER_WEBHOOK_ALLOW: "127.0.0.1" }, { memory: true });
  const log = (_: string, text: string): void => void lines.push(text);
  const pid = await webhooks.start(node, { config, counters, log }, pausesMs);
  await body((delivery) => webhooks.cast(pid).post(delivery), { counters, lines });
}

test("Webhooks are retried after pauses without logging their URLs", async () => {
  await withReceiver(
    (_, response, count) => response.writeHead(count < 3 ? 503 : 200).end(),
    async ({ url, got }) => {
      await withWebhooks([5, 5], async (post, { counters, lines }) => {
        post({
          ruleId: "r1",
          outgoing: { kind: "post", url: `${url}/hooks/s3cret?token=s3cret`, json: '{"n":1}' },
        });
        await until(
          "the notification is delivered",
          () => counters.get("webhooks_delivered") === 1,
        );
        assertEquals(got.map(({ body }) => body), ['{"n":1}', '{"n":1}', '{"n":1}']);
        assertEquals(lines, Array(2).fill("notification of rule r1: HTTP 503; again in 0.005 s"));
      });
    },
  );
});

test("Webhooks are given up after the last pause or a permanent failure", async () => {
  await withReceiver((_, response) => response.writeHead(500).end(), async ({ url, got }) => {
    await withWebhooks([1], async (post, { counters, lines }) => {
      post({ ruleId: "r1", outgoing: { kind: "post", url, json: "{}" } });
      await until("the notification has failed", () => counters.get("webhooks_failed") === 1);
      assertEquals(got.length, 2);
      assertEquals(lines.at(-1), "notification of rule r1: HTTP 500; given up");
      post({
        ruleId: "r2",
        outgoing: { kind: "post", url: "http://169.254.169.254/latest/meta-data", json: "{}" },
      });
      await until("the notification is rejected", () => counters.get("webhooks_failed") === 2);
      assert(/^notification of rule r2: the receiver is inside .*; given up$/.test(lines.at(-1)!));
    });
  });
});

test("Webhooks to a slow receiver do not delay others", async () => {
  const held: ServerResponse[] = [];
  await withReceiver(
    (request, response) => request.url === "/slow" ? void held.push(response) : response.end(),
    async ({ url }) => {
      await withWebhooks([], async (post, { counters, lines }) => {
        for (let i = 1; i < WEBHOOKS_MAX; i++) {
          post({ ruleId: "r", outgoing: { kind: "post", url: `${url}/slow`, json: "{}" } });
        }
        post({ ruleId: "quick", outgoing: { kind: "post", url, json: "{}" } });
        await until(
          "the quick notification is delivered",
          () => counters.get("webhooks_delivered") === 1,
        );
        post({ ruleId: "r", outgoing: { kind: "post", url: `${url}/slow`, json: "{}" } });
        post({ ruleId: "one too many", outgoing: { kind: "post", url, json: "{}" } });
        await until("a notification is dropped", () => counters.get("webhooks_failed") === 1);
        assertEquals(lines, [
          `notification of rule one too many: dropped, ${WEBHOOKS_MAX} are under way`,
        ]);
        await until("all requests have arrived", () => held.length === WEBHOOKS_MAX);
        for (const response of held) response.end();
        await until(
          "all notifications are delivered",
          () => counters.get("webhooks_delivered") === 1 + WEBHOOKS_MAX,
        );
        post({ ruleId: "after", outgoing: { kind: "post", url, json: "{}" } });
        await until(
          "the last notification is delivered",
          () => counters.get("webhooks_delivered") === 2 + WEBHOOKS_MAX,
        );
      });
    },
  );
});

test("A webhook is delivered if its target is external or allowed", async () => {
  await withReceiver((_, response) => response.end(), async ({ url, got }) => {
    const rule = {
      name: "New",
      condition: { condition_type: "new_issue" },
      action: { type: "webhook", url: `${url}/hook` },
    };
    const path = "/api/v1/projects/default/alert-rules";
    await onStage(async ({ user }) => {
      const refused = await user.post(path, rule);
      assertEquals(refused.status, 400);
      assert(/inside this network/.test(refused.json.error), refused.json.error);
    });
    await onStage(async ({ user, sender, app }) => {
      const made = await user.post(path, rule);
      assertEquals(made.status, 201);
      const sent = await sender.post("/api/v1/events", { message: "an alert" });
      assertEquals(sent.status, 202);
      await until("the notification has arrived", () => got.length === 1);
      const { type, rule_id, message } = JSON.parse(got[0]!.body);
      assertEquals([type, rule_id, message], ["alert", made.json.id, "New issue: an alert"]);
      await until(
        "the delivery is counted",
        () => app.mesher.counters.get("webhooks_delivered") === 1,
      );
    }, { webhookAllow: LOOPBACK });
  });
});
