/**
 * Tests the subscriptions of one node to the homes of topics, with answers that arrive at any time.
 */
import { assertEquals } from "@std/assert";
import { PORTION_COUNT } from "../../lib/base/portions.ts";
import { channel } from "../../lib/channel/channel.ts";
import { History, type HistoryPorts, type Resumed } from "../../lib/channel/history.ts";
import type { HomeAnswer, HomeRequest } from "../../lib/channel/history_home.ts";
import { Pid } from "../../lib/term/pid.ts";
import { test } from "../kit/test.ts";

const log = channel("log", { history: true });
const me = new Pid({ node: "me@x:1", creation: 1, local: false }, 1, undefined) as Pid;
const home = new Pid({ node: "home@x:1", creation: 1, local: false }, 1, undefined) as Pid;

/**
 * Creates a history. The test itself answers the requests that the history sends to the homes of
 * topics.
 */
function make() {
  const asked: { request: HomeRequest; answer(value: HomeAnswer): void }[] = [];
  const casts: string[] = [];
  const delivered: string[] = [];
  const ports: HistoryPorts = {
    me,
    node: me.node,
    channelOf: () => log,
    call: <Answer>(_channel: unknown, _topic: string, request: HomeRequest) =>
      new Promise<Answer>((answer) => asked.push({ request, answer: answer as never })),
    keep: () => {},
    cast: (_to, [kind]) => casts.push(kind),
    deliver: (_topic, frame) => delivered.push(String(frame)),
    socket: () => undefined,
    monitor: () => {},
    after: () => ({ cancel: () => {} }),
    yieldToIo: (task) => task(),
    now: () => 0,
    warn: () => {},
  };
  return { history: new History(ports), ports, asked, casts, delivered };
}

const answerAt = (offset: number): HomeAnswer => ({
  home,
  position: { epoch: "e", offset },
  recovered: true,
  missed: [],
});

const entryOf = (offset: number) => ({
  offset,
  at: 0,
  frame: JSON.stringify([null, null, "log", "m", offset]),
  except: undefined,
});

/** Runs the microtasks that are due. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test("History keeps the subscription of a topic that is left and rejoined at once", async () => {
  const { history, asked, casts } = make();
  const entered: (Resumed | undefined)[] = [];
  void history.subscribe("log", undefined, (resumed) => entered.push(resumed));
  history.unsubscribe("log");
  void history.subscribe("log", undefined, (resumed) => entered.push(resumed));
  assertEquals(asked.length, 2);
  // The answer to the first subscription, which has ended, arrives last.
  for (const { answer } of asked.toReversed()) {
    answer(answerAt(0));
    await settle();
  }
  assertEquals(casts, []);
  history.unsubscribe("log");
  assertEquals(casts, ["unsubscribe"]);
});

test("History reads messages that are missing after a subscription from the topic's home", async () => {
  const { history, asked, delivered } = make();
  void history.subscribe("log", undefined, () => {});
  history.received(["entries", "log", home, "e", [entryOf(5)]]);
  asked[0]!.answer(answerAt(2));
  await settle();
  assertEquals(asked.map(({ request }) => request[0]), ["subscribe", "subscribe"]);
  asked[1]!.answer({ ...answerAt(5), missed: [3, 4, 5].map(entryOf) });
  await settle();
  assertEquals(delivered.map((frame) => JSON.parse(frame)[4]), [3, 4, 5]);
});

test("History delivers each message once to a client that resumes while messages arrive", async () => {
  for (let turns = 0; turns < 12; turns++) {
    const { history, asked, delivered } = make();
    void history.subscribe("log", undefined, () => {});
    asked[0]!.answer(answerAt(2));
    await settle();
    let got: number[] = [];
    let isIn = false;
    void history.subscribe("log", { epoch: "e", offset: 1 }, (resumed) => {
      isIn = true;
      got = resumed!.missed.map((frame) => JSON.parse(String(frame))[4]);
    });
    await settle();
    asked[1]!.answer({ ...answerAt(2), missed: [entryOf(2)] });
    for (let i = 0; i < turns; i++) await Promise.resolve();
    history.received(["entries", "log", home, "e", [entryOf(3)]]);
    if (isIn) got.push(...delivered.map((frame) => JSON.parse(frame)[4]));
    await settle();
    assertEquals([turns, got], [turns, [2, 3]]);
  }
});

test("History renews many subscriptions in portions, and subscribes again only to the topic whose home has exited", async () => {
  const { ports, asked } = make();
  const kept: string[] = [];
  const timers: (() => void)[] = [];
  const yields: (() => void)[] = [];
  const topics: string[] = [];
  const history = new History({
    ...ports,
    call: (channel, topic, request) => {
      topics.push(topic);
      return ports.call(channel, topic, request);
    },
    keep: (_channel, topic) => kept.push(topic),
    after: (_ms, task) => {
      timers.push(task);
      return { cancel: () => {} };
    },
    yieldToIo: (task) => yields.push(task),
  });
  const count = PORTION_COUNT + 2;
  const homes = Array.from(
    { length: count },
    (_, i) => new Pid(home.home, i + 1, undefined) as Pid,
  );
  for (let i = 0; i < count; i++) void history.subscribe(`log:${i}`, undefined, () => {});
  for (const [i, { answer }] of asked.entries()) answer({ ...answerAt(0), home: homes[i]! });
  await settle();
  assertEquals(timers.length, 1);
  timers.pop()!();
  assertEquals([kept.length, timers.length], [PORTION_COUNT, 0]);
  yields.pop()!();
  assertEquals([new Set(kept).size, kept.length, timers.length], [count, count, 1]);
  topics.length = 0;
  history.down(homes[1]!);
  history.down(homes[1]!);
  assertEquals(topics, ["log:1"]);
});
