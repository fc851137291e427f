/**
 * Tests the sessions of clients without WebSockets, with a clock and other nodes that the test
 * controls.
 */
import { assert, assertEquals } from "@std/assert";
import {
  EventSessions,
  type SendStatus,
  type SessionPorts,
} from "../../lib/channel/event_sessions.ts";
import { Pid } from "../../lib/term/pid.ts";
import { test, until } from "../kit/test.ts";

const LIMITS = { bytesMax: 1_000_000, policy: "close" } as const;

function make() {
  let now = 0;
  let next: { at: number; task: () => void } | undefined;
  const asked: ((status: SendStatus) => void)[] = [];
  const home = { node: "b@x:1", creation: 77, local: false };
  const ports: SessionPorts = {
    creation: 42,
    peers: () => [new Pid(home, 1, undefined) as Pid],
    call: () => new Promise((answer) => asked.push(answer)),
    newSecret: () => "secret",
    now: () => now,
    after: (ms, task) => {
      next = { at: now + ms, task };
      return { cancel: () => next = undefined };
    },
    yieldToIo: (task) => task(),
    failed: () => {},
  };
  const advance = (ms: number): void => {
    const until = now + ms;
    while (next !== undefined && next.at <= until) {
      const { at, task } = next;
      next = undefined;
      now = at;
      task();
    }
    now = until;
  };
  return { sessions: new EventSessions(ports), advance, asked, hasTimer: () => next !== undefined };
}

test("EventSessions closes a session after 90 seconds without a request", async () => {
  const { sessions, advance, hasTimer } = make();
  const ended: string[] = [];
  const open = (name: string) => {
    const session = sessions.open(LIMITS, () => ended.push(name))!;
    session.receiver = { received: () => {} };
    return session;
  };
  const [silent, busy] = [open("silent"), open("busy")];
  const reader = busy.response(new Headers()).body!.pipeThrough(new TextDecoderStream())
    .getReader();
  assert((await reader.read()).value!.includes(busy.id));
  for (let i = 1; i <= 10; i++) {
    advance(20_000);
    assertEquals(await sessions.send(`${busy.id} ${i}\n`), 204);
  }
  assertEquals(ended, ["silent"]);
  assertEquals(await sessions.send(`${silent.id} 1\n`), 410);
  assertEquals((await reader.read()).value, ":\n\n");
  await reader.cancel();
  await until("the other session has ended", () => ended.length === 2);
  advance(20_000);
  assert(!hasTimer());
});

test("EventSessions limits the total size of requests that wait for other nodes", async () => {
  const { sessions, asked } = make();
  const body = `${(77).toString(36)}.1.secret 1\n${"x".repeat(9_000_000)}`;
  const first = sessions.send(body);
  assertEquals(await sessions.send(body), 503);
  asked[0]!(204);
  assertEquals(await first, 204);
  const again = sessions.send(body);
  asked[1]!(410);
  assertEquals(await again, 410);
});
