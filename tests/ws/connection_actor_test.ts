import { assert, assertEquals } from "@std/assert";
import { Down, Exit } from "../../lib/actor/exit.ts";
import { System } from "../../lib/actor/system.ts";
import type { Connection } from "../../lib/ws/connection.ts";
import type { ServeOptions } from "../../lib/ws/options.ts";
import { serve } from "../../lib/ws/server.ts";
import { makeHost } from "../kit/host.ts";
import { HOME } from "../kit/system.ts";
import { test, until } from "../kit/test.ts";
import { closePayload, RawClient } from "../kit/ws_client.ts";

const host = makeHost();

/** Runs `body` with a server in a system of actors, and one client. */
async function serving(
  options: ServeOptions,
  body: (client: RawClient, conn: Connection, system: System) => Promise<void>,
): Promise<void> {
  const system = new System(HOME, host);
  let conn: Connection | undefined;
  const server = await serve(host, {
    log: () => {},
    ...options,
    open: (each) => {
      conn = each;
      return options.open?.(each);
    },
  }, system);
  try {
    const client = await RawClient.open(host, server.port);
    await until("the connection is open", () => conn !== undefined);
    await body(client, conn!, system);
  } finally {
    await server.stop({ timeout: 500 });
    assertEquals(system.size, 0);
    system.stop();
  }
}

/** Monitors the actor of a connection. Returns a function that waits for its exit reason. */
function watch(system: System, conn: Connection): () => Promise<unknown> {
  let reason: unknown;
  system.whenEnded(conn.pid!).then((why) => reason = why);
  return async () => {
    await until("the actor has exited", () => reason !== undefined);
    return reason;
  };
}

test("Connection.pid creates an actor on first use that passes messages to info", async () => {
  const got: unknown[] = [];
  await serving({
    info: (conn, message) => {
      got.push(message);
      conn.send(String(message));
    },
  }, async (client, conn, system) => {
    assertEquals(system.size, 0);
    const { pid } = conn;
    assertEquals([conn.pid === pid, conn.self?.pid === pid, system.size], [true, true, 1]);
    system.sendTo(pid!, "from an actor");
    assertEquals(await client.nextText(), "from an actor");
    assertEquals(got, ["from an actor"]);
    system.exit(pid!, "kill");
    await client.gone();
  });
});

test("Connection has no pid on a server without actors, or after the connection is closed", async () => {
  let conn: Connection | undefined;
  const server = await serve(host, {
    open: (each) => {
      conn = each;
    },
  });
  const client = await RawClient.open(host, server.port);
  assertEquals([conn!.pid, conn!.self], [undefined, undefined]);
  await client.abort();
  await server.stop();
  await serving({}, async (client, conn, system) => {
    await client.abort();
    await until("the connection is closed", () => conn.state === "closed");
    assertEquals([conn.pid, system.size], [undefined, 0]);
  });
});

test("Connection handles the next message to its pid after the handler's promise has settled", async () => {
  const received: string[] = [];
  const gate = Promise.withResolvers<void>();
  await serving({
    info: async (_conn, message) => {
      received.push(`begin ${message}`);
      await gate.promise;
      received.push(`end ${message}`);
    },
  }, async (client, conn, system) => {
    for (const each of ["1", "2"]) system.sendTo(conn.pid!, each);
    await until("the first message is being handled", () => received.length === 1);
    gate.resolve();
    await until("all messages are handled", () => received.length === 4);
    assertEquals(received, ["begin 1", "end 1", "begin 2", "end 2"]);
    await client.abort();
  });
});

/** How a socket closes, and the exit reason that the actor's monitors receive. */
const SOCKET_ENDS: readonly (readonly [string, (client: RawClient) => unknown, unknown])[] = [
  [
    "a close frame",
    (client) => client.send({ opcode: 8, payload: closePayload(4001, "done") }),
    { shutdown: { code: 4001, reason: "done" } },
  ],
  [
    "a protocol violation",
    (client) => client.send({ opcode: 3 }),
    { shutdown: { code: 1002, reason: "the opcode is reserved" } },
  ],
];

for (const [name, act, expected] of SOCKET_ENDS) {
  test(`Connection's actor ends when its socket ends with ${name}`, async () => {
    await serving({}, async (client, conn, system) => {
      const reason = watch(system, conn);
      act(client);
      assertEquals(await reason(), expected);
      assertEquals(system.isAlive(conn.pid!), false);
    });
  });
}

test("Connection's actor ends when the client's connection breaks", async () => {
  await serving({}, async (client, conn, system) => {
    const reason = watch(system, conn);
    await client.abort();
    const { shutdown } = await reason() as { shutdown: { code: number } };
    assertEquals(shutdown.code, 1006);
  });
});

test("Connection's actor ends with the error that a handler threw", async () => {
  const boom = new Error("boom");
  await serving({
    message: () => {
      throw boom;
    },
  }, async (client, conn, system) => {
    const reason = watch(system, conn);
    client.send({ payload: "x" });
    assertEquals((await client.closeFrame()).code, 1011);
    assert(await reason() === boom);
  });
});

/** How an actor exits, and the close code that its client receives. */
const ACTOR_ENDS: readonly (readonly [string, unknown, number])[] = [
  ["the reason shutdown", "shutdown", 1001],
  ["a shutdown with a reason", { shutdown: "moving" }, 1001],
  ["kill", "kill", 1011],
  ["an error", new Error("x"), 1011],
];

for (const [name, reason, code] of ACTOR_ENDS) {
  test(`Connection's socket is closed with ${code} when its actor is ended by ${name}`, async () => {
    const closes: number[] = [];
    await serving({ close: (_conn, code) => closes.push(code) }, async (client, conn, system) => {
      system.exit(conn.pid!, reason as never);
      assertEquals((await client.closeFrame()).code, code);
      await client.gone();
      await until("the close handler has been called", () => closes.length === 1);
      assertEquals(closes, [code]);
    });
  });
}

test("Connection's socket is closed with 1011 when info throws", async () => {
  await serving({
    info: () => {
      throw new Error("boom");
    },
  }, async (client, conn, system) => {
    const worker = system.spawn(undefined, undefined, () => () => {}, []);
    conn.self!.link(worker);
    system.sendTo(conn.pid!, "x");
    assertEquals((await client.closeFrame()).code, 1011);
    await until("the worker has exited", () => !system.isAlive(worker));
  });
});

test("Connection that does not trap exits ends when a linked actor exits", async () => {
  const got: unknown[] = [];
  await serving({ info: (_conn, message) => got.push(message) }, async (client, conn, system) => {
    const [one, two, three] = [1, 2, 3].map(() =>
      system.spawn(undefined, undefined, () => () => {}, [])
    );
    const { self } = conn;
    self!.trapExit = true;
    self!.link(one!);
    const ref = self!.monitor(two!);
    system.exit(one!, { shutdown: 1 });
    system.exit(two!, "shutdown");
    await until("both have received the exit", () => got.length === 2);
    assert(got[0] instanceof Exit && got[1] instanceof Down);
    assert(got[1].ref === ref);
    self!.trapExit = false;
    self!.link(three!);
    system.exit(three!, "kill");
    assertEquals((await client.closeFrame()).code, 1011);
  });
});
