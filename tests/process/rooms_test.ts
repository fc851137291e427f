import { assertEquals } from "@std/assert";
import { PAIRS, untilWhole, withNodes } from "../kit/process.ts";
import { Client, members } from "../kit/socket.ts";
import { test, until } from "../kit/test.ts";

for (const [one, other] of PAIRS) {
  test(`rooms (${one}, ${other}) deliver 1,000 broadcasts from both sides to 100 members once and in order`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a");
      const b = await start(other, "b", { seeds: [a.name] });
      await untilWhole(a, b);
      const inRoom = (await Promise.all([members(a.url, "r", 50), members(b.url, "r", 50)])).flat();
      const elsewhere = await members(b.url, "elsewhere", 2);
      const nowhere = await Client.open(a.url);

      await Promise.all([
        a.ask("say", { room: "r", text: "a", count: 1000 }),
        b.ask("say", { room: "r", text: "b", count: 1000 }),
      ]);
      await until(
        "all broadcasts have arrived",
        () => inRoom.every(({ observed }) => observed.length >= 2000),
      );

      for (const { observed } of inRoom) {
        assertEquals(observed.length, 2000);
        for (const from of ["a", "b"]) {
          const own = observed.filter((text) => text.startsWith(from));
          assertEquals(own, Array.from({ length: 1000 }, (_, i) => `${from}${i}`));
        }
      }
      for (const { observed } of [...elsewhere, nowhere]) assertEquals(observed, []);

      const [speaker, ...listeners] = inRoom;
      for (const { observed } of inRoom) observed.length = 0;
      speaker!.send("sayFrom r to all but me");
      speaker!.send("say r to all");
      await until(
        "all broadcasts have arrived",
        () =>
          listeners.every(({ observed }) => observed.length === 2) &&
          speaker!.observed.length === 1,
      );
      assertEquals(speaker!.observed, ["to all"]);
      for (const { observed } of listeners) assertEquals(observed, ["to all but me", "to all"]);

      await Promise.all([...inRoom, ...elsewhere, nowhere].map((client) => client.close()));
      await until("the room is empty", async () => await a.ask("members", { room: "r" }) === 0);
    });
  });

  test(`rooms (${one}, ${other}) reach a third node that has one seed`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a");
      const b = await start(other, "b", { seeds: [a.name] });
      await untilWhole(a, b);
      const c = await start(one, "c", { seeds: [b.name] });
      await untilWhole(a, b, c);
      const clients = await Promise.all([a, b, c].map(({ url }) => Client.member(url, "r")));
      const [onA, onB, onC] = clients as [Client, Client, Client];
      for (const [i, client] of clients.entries()) client.send(`say r from ${i}`);
      const all = ["from 0", "from 1", "from 2"];
      await until(
        "all clients have received all broadcasts",
        () => clients.every(({ observed }) => observed.length === 3),
      );
      for (const { observed } of clients) assertEquals(observed.toSorted(), all);

      // Traffic between a and c continues while b is suspended.
      const before = onC.observed.length;
      await a.ask("say", { room: "r", text: "x", count: 100 });
      await b.ask("stop");
      await a.ask("say", { room: "r", text: "y", count: 100 });
      await until("c has received all broadcasts", () => onC.observed.length === before + 200);
      assertEquals(
        onC.observed.slice(before + 100),
        Array.from({ length: 100 }, (_, i) => `y${i}`),
      );
      await until(
        "both nodes have lost the stopped one",
        () =>
          a.count("nodedown", b.name, "shutdown") === 1 &&
          c.count("nodedown", b.name, "shutdown") === 1,
      );
      assertEquals([a.count("nodedown", c.name), c.count("nodedown", a.name)], [0, 0]);
      await Promise.all([onA, onB, onC].map((client) => client.close()));
    });
  });
}
