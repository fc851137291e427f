import { assert, assertEquals } from "@std/assert";
import { Down } from "../../lib/actor/exit.ts";
import type { Parts } from "../../lib/start.ts";
import { startNode } from "../../lib/start.ts";
import type { Pid } from "../../lib/term/pid.ts";
import type { Connection } from "../../lib/ws/connection.ts";
import { serve } from "../../lib/ws/server.ts";
import { COOKIE, testKeys } from "../kit/keys.ts";
import { test, until } from "../kit/test.ts";
import { RawClient } from "../kit/ws_client.ts";

/** Runs `body` with two connected nodes. */
async function withPair(body: (a: Parts, b: Parts) => Promise<void>): Promise<void> {
  const start = (short: string, seeds: string[]): Promise<Parts> =>
    startNode(
      { name: `${short}@127.0.0.1:0`, cookie: COOKIE, seeds, logLevel: "silent" },
      undefined,
      testKeys,
    );
  const a = await start("a", []);
  const b = await start("b", [a.mesh.name]);
  try {
    await until(
      "the nodes are connected",
      () => a.mesh.peers().length + b.mesh.peers().length === 2,
    );
    await body(a, b);
  } finally {
    for (const { system, mesh } of [a, b]) {
      system.stop();
      await mesh.stop();
    }
  }
}

test("Connection.pid receives messages from another node", async () => {
  await withPair(async (a, b) => {
    let conn: Connection | undefined;
    const server = await serve(a.host, {
      open: (each) => {
        conn = each;
      },
      info: (each, message) => each.send(String(message)),
    }, a.system);
    const client = await RawClient.open(a.host, server.port);

    // An actor on the other node receives the pid, monitors it, and sends to it.
    const received: unknown[] = [];
    b.system.spawn(undefined, { name: "keeper" }, (self) => (message: unknown) => {
      received.push(message);
      if (message instanceof Down) return;
      self.monitor(message as Pid<unknown>);
      self.send(message as Pid<unknown>, "from another node");
    }, []);
    await until("the connection is open", () => conn !== undefined);
    a.system.sendTo({ name: "keeper", node: b.mesh.name }, conn!.pid);
    assertEquals(await client.nextText(), "from another node");

    const pid = received[0] as Pid<unknown>;
    b.system.exit(pid, { shutdown: "enough" });
    assertEquals((await client.closeFrame()).code, 1001);
    await until("the Down has arrived", () => received.length === 2);
    assert(received[1] instanceof Down);
    assertEquals(received[1].reason, { shutdown: "enough" });
    await client.gone();
    await server.stop();
  });
});

test("Connection is closed with 1011 when the node of a linked actor is lost", async () => {
  await withPair(async (a, b) => {
    let conn: Connection | undefined;
    const server = await serve(a.host, {
      open: (each) => {
        conn = each;
      },
      info: (each, message) => each.self!.link(message as Pid<never>),
    }, a.system);
    const client = await RawClient.open(a.host, server.port);
    await until("the connection is open", () => conn !== undefined);
    const worker = b.system.spawn(undefined, undefined, () => () => {}, []);
    const courier = a.system.spawn(
      undefined,
      { name: "courier" },
      (self) => (message: unknown) => self.send(conn!.pid!, message),
      [],
    );
    b.system.sendTo({ name: "courier", node: a.mesh.name }, worker);
    await until(
      "the connection is linked",
      () => conn!.pid !== undefined && linksOf(b, worker) === 1,
    );
    await b.mesh.stop();
    assertEquals((await client.closeFrame()).code, 1011);
    await client.gone();
    assertEquals(a.system.isAlive(courier), true);
    await server.stop();
  });
});

/** Returns the number of links of an actor. */
function linksOf({ system }: Parts, pid: Pid): number {
  return system.find(pid.id)?.links?.size ?? 0;
}
