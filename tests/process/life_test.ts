import { assert, assertEquals } from "@std/assert";
import { type NodeProcess, PAIRS, untilWhole, withNodes } from "../kit/process.ts";
import { Client } from "../kit/socket.ts";
import { test, until } from "../kit/test.ts";

/** Asserts that a message sent on one node is received on the other, in both directions. */
async function roomsWork(a: NodeProcess, b: NodeProcess): Promise<void> {
  for (const [here, there] of [[a, b], [b, a]] as const) {
    const client = await Client.member(there.url, "works");
    await here.ask("say", { room: "works", text: "yes" });
    await until("the message has arrived", () => client.observed.includes("yes0"));
    await client.close();
  }
}

for (const [one, other] of PAIRS) {
  test(`nodedown (${one}, ${other}) is reported at once after kill -9`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a");
      const b = await start(other, "b", { seeds: [a.name] });
      const c = await start(one, "c", { seeds: [a.name] });
      await untilWhole(a, b, c);
      const killedAt = performance.timeOrigin + performance.now();
      await b.kill();
      await until(
        "both noticed",
        () => [a, c].every((node) => node.count("nodedown", b.name, "closed") === 1),
      );
      for (const node of [a, c]) {
        const { at } = node.received.find(({ event }) => event === "nodedown")!;
        assert(at! - killedAt < 1000, `reported after ${at! - killedAt} ms`);
      }
      await roomsWork(a, c);
      const again = await start(other, "b", { name: b.name, seeds: [a.name] });
      assertEquals(again.name, b.name);
      await untilWhole(a, again, c);
      await roomsWork(a, again);
      assertEquals([a.count("nodeup", b.name), c.count("nodeup", b.name)], [2, 2]);
    });
  });

  test(`a node (${one}, ${other}) that is suspended past the deadline is disconnected, and rejoins after SIGCONT`, async () => {
    await withNodes(async (start) => {
      const hasty = { pingInterval: 200, pingTimeout: 1000 };
      const a = await start(one, "a", hasty);
      const b = await start(other, "b", { ...hasty, seeds: [a.name] });
      const c = await start(other, "c", { ...hasty, seeds: [a.name] });
      await untilWhole(a, b, c);
      const stoppedAt = performance.timeOrigin + performance.now();
      b.signal("SIGSTOP");
      await until(
        "both nodes have ended the session",
        () => [a, c].every((node) => node.count("nodedown", b.name, "timeout") === 1),
      );
      for (const node of [a, c]) {
        const { at } = node.received.find(({ event }) => event === "nodedown")!;
        const after = at! - stoppedAt;
        assert(after > 700 && after < 3000, `ended after ${after} ms`);
      }
      await roomsWork(a, c);
      assertEquals([a.count("nodedown", c.name), c.count("nodedown", a.name)], [0, 0]);
      b.signal("SIGCONT");
      await untilWhole(a, b, c);
      assertEquals([b.count("nodedown", a.name), b.count("nodedown", c.name)], [1, 1]);
      await roomsWork(a, b);
      await roomsWork(b, c);
    });
  });

  test(`a node (${one}, ${other}) that is suspended for less than the deadline loses no message`, async () => {
    await withNodes(async (start) => {
      const patient = { pingInterval: 300, pingTimeout: 10_000 };
      const a = await start(one, "a", patient);
      const b = await start(other, "b", { ...patient, seeds: [a.name] });
      await untilWhole(a, b);
      const client = await Client.member(b.url, "r");
      b.signal("SIGSTOP");
      await a.ask("say", { room: "r", text: "x", count: 500 });
      // Waits long enough for both nodes to send pings.
      await new Promise((wake) => setTimeout(wake, 1000));
      b.signal("SIGCONT");
      await until("all messages have arrived", () => client.observed.length === 500);
      assertEquals([a.count("nodedown"), b.count("nodedown")], [0, 0]);
      await client.close();
    });
  });

  test(`a node (${one}, ${other}) with a wrong cookie is rejected, and both nodes log one line`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a");
      const b = await start(other, "b", { seeds: [a.name] });
      await untilWhole(a, b);
      const outsider = await start(other, "outsider", {
        cookie: "another cookie",
        seeds: [a.name],
      });
      await until(
        "both nodes have reported the rejection",
        () => a.count("refused") > 0 && outsider.count("refused") > 0,
      );
      // The node dials at its start, and then reports that it is ready.
      const readyAt = outsider.received.find(({ event }) => event === "ready")!.at!;
      for (const node of [a, outsider]) {
        const late = node.received.find(({ event }) => event === "refused")!.at! - readyAt;
        assert(late < 1000, `rejected after ${late} ms`);
      }
      // The rejected node continues to retry, and neither node logs another warning.
      await until("the node has tried again", () => a.count("refused") >= 4);
      assertEquals(a.warnings().length, 1, a.warnings().join("\n"));
      assertEquals(outsider.warnings().length, 1, outsider.warnings().join("\n"));
      assert(/cookie/.test(a.warnings()[0]!), a.warnings()[0]);
      assert(/cookie/.test(outsider.warnings()[0]!), outsider.warnings()[0]);
      assertEquals(await outsider.ask("peers"), []);
      assertEquals(await a.ask("peers"), [b.name]);
      await roomsWork(a, b);
    });
  });

  test(`disconnect (${one}, ${other}) ends the session on both sides, and neither node reconnects`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a");
      const b = await start(other, "b", { seeds: [a.name] });
      await untilWhole(a, b);
      assertEquals(await a.ask("disconnect", { name: b.name }), true);
      await until(
        "both nodes are disconnected",
        () =>
          a.count("nodedown", b.name, "disconnected") === 1 &&
          b.count("nodedown", a.name, "disconnected") === 1,
      );
      assertEquals(await a.ask("disconnect", { name: b.name }), false);
      assertEquals(await a.ask("connect", { name: b.name }), "up");
      await untilWhole(a, b);
      assertEquals([a.count("nodeup"), b.count("nodeup")], [2, 2]);
    });
  });
}
