/**
 * Tests that the network between the processes has the documented effects, on which the chaos test
 * relies.
 */
import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { assertEquals } from "@std/assert";
import { test, until } from "../../kit/test.ts";
import { Network } from "./network.ts";

/** Runs `body` with the routes of two nodes. An echo server answers connections from `a` to `b`. */
async function withEcho(
  body: (network: Network, dial: () => Socket, got: () => string) => Promise<void>,
): Promise<void> {
  const network = await Network.open(["a", "b"]);
  const echo = createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((listening) => echo.listen(0, "127.0.0.1", listening));
  network.lead("b", (echo.address() as AddressInfo).port);
  const sockets: Socket[] = [];
  let text = "";
  const dial = () => {
    const [named] = network.nameOf("b").split(":").slice(-1);
    const socket = connect(network.routesOf("a")[named!]!, "127.0.0.1");
    socket.on("data", (bytes) => text += String(bytes));
    socket.on("error", () => {});
    sockets.push(socket);
    return socket;
  };
  try {
    await body(network, dial, () => text);
  } finally {
    for (const socket of sockets) socket.destroy();
    await network.close();
    await new Promise<void>((closed) => echo.close(() => closed()));
  }
}

/** Time in milliseconds after which forwarded data has arrived. */
const QUIET_MS = 100;

const quiet = () => new Promise((wake) => setTimeout(wake, QUIET_MS));

for (const [from, to] of [["a", "b"], ["b", "a"]] as const) {
  test(`Network.block holds back traffic from ${from} to ${to} until Network.heal`, async () => {
    await withEcho(async (network, dial, got) => {
      const socket = dial();
      socket.write("one ");
      await until("the first data is echoed", () => got() === "one ");
      network.block(from, to);
      socket.write("two ");
      dial().write("three");
      await until("the data is read from the connection", () => network.open === 2);
      await quiet();
      assertEquals(got(), "one ");
      network.heal();
      await until("all data is echoed", () => got().length === 13);
      assertEquals(got().replace("three", ""), "one two ");
    });
  });
}

test("Network.cut ends the connections between two nodes, and permits new ones", async () => {
  await withEcho(async (network, dial, got) => {
    let closed = 0;
    const socket = dial().on("close", () => closed++);
    socket.write("one ");
    await until("the first data is echoed", () => got() === "one ");
    network.cut("a", "b");
    await until("the connection is closed", () => closed === 1);
    assertEquals(network.open, 0);
    dial().write("two");
    await until("the next data is echoed", () => got() === "one two");
    assertEquals(network.bytes, 14);
  });
});

test("Network.lead without a port closes all connections to the node", async () => {
  await withEcho(async (network, dial) => {
    network.lead("b", undefined);
    let closed = 0;
    dial().on("close", () => closed++);
    await until("the connection is closed", () => closed === 1);
  });
});

test("Network forwards the end of a blocked connection after Network.heal", async () => {
  await withEcho(async (network, dial, got) => {
    const socket = dial();
    socket.write("one");
    await until("the data is echoed", () => got() === "one");
    network.block("a", "b");
    socket.destroy();
    await quiet();
    assertEquals(network.open, 1);
    network.heal();
    await until("the connection has ended", () => network.open === 0);
  });
});
