/** Tests nodes that run out of file descriptors, and dials that must close theirs. */
import { assert, assertEquals } from "@std/assert";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { spawnChild } from "../../lib/host/system.ts";
import { parseName } from "../../lib/mesh/name.ts";
import { TwoMachines } from "../kit/netns.ts";
import { type Runtime, withNodes } from "../kit/process.ts";
import { runtime, test, until } from "../kit/test.ts";

/** The maximum number of open descriptors of the tested node. */
const DESCRIPTORS_MAX = 80;

/** Starts a process with a low limit of open file descriptors. */
function launchLimited(runtime: Runtime, file: string) {
  const bin = process.env[runtime === "deno" ? "DENO_BIN" : "BUN_BIN"] ?? runtime;
  const run = runtime === "deno" ? "run -A --no-check" : "";
  return spawnChild("bash", [
    "-c",
    `ulimit -n ${DESCRIPTORS_MAX} && exec ${bin} ${run} "$0"`,
    file,
  ]);
}

/** Opens connections that send nothing. */
function connectSilently(port: number, count: number): Socket[] {
  return Array.from({ length: count }, () => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => {});
    return socket;
  });
}

/**
 * Returns the number of open descriptors of a process. The process itself could not count them
 * without a free descriptor.
 */
function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

async function dialsTls(name: string): Promise<boolean> {
  let isUp = false;
  await withNodes(async (start) => {
    const other = await start(runtime, "other", { seeds: [name] }, "member_child.ts");
    try {
      await until(
        "the session is open",
        async () => (await other.ask<string[]>("peers")).includes(name),
      );
      isUp = true;
    } catch {
      // The session did not open in time, so `isUp` remains false.
    }
  });
  return isUp;
}

test("Mesh and serve accept connections again after the process ran out of descriptors", async () => {
  await withNodes(async (start) => {
    const node = await start(runtime, "poor", {}, "member_child.ts", launchLimited);
    const url = new URL(await node.ask<string>("serve"));
    // Deno reads certificates at its first TLS handshake, and panics if no descriptor is free for
    // them.
    assert(await dialsTls(node.name), "the mesh's listener does not accept");
    const pid = Number(node.received.find(({ event }) => event === "ready")!["pid"]);
    for (const port of [parseName(node.name)!.port, Number(url.port)]) {
      const idle = descriptorsOf(pid);
      const held = connectSilently(port, 2 * DESCRIPTORS_MAX);
      await new Promise((wake) => setTimeout(wake, 2_000));
      for (const socket of held) socket.destroy();
      await until(
        "the descriptors are free again",
        () => descriptorsOf(pid) <= idle + 10,
      );
    }
    assert(await dialsTls(node.name), "the mesh's listener accepts no more");
    const response = await fetch(`http://${url.host}/`, { signal: AbortSignal.timeout(5_000) });
    assertEquals(await response.text(), "hello");
    const failures = node.received.filter((received) =>
      received.event === "listener" && received["state"] === "failed"
    );
    const { listenerFailures } = await node.ask<{ listenerFailures: number }>("membership");
    assertEquals(listenerFailures, failures.length);
    if (runtime === "bun") return; // Bun's listeners do not stop accepting.
    await until(
      "the recovery is reported",
      () =>
        node.received.some((received) =>
          received.event === "listener" && received["state"] === "recovered"
        ),
    );
    assert(failures.length > 0);
  });
});

test("Host.connect closes the descriptor of a connection attempt that timed out", {
  ignore: !TwoMachines.isPossible(),
}, async () => {
  const machines = new TwoMachines();
  try {
    machines.cut();
    await withNodes(async (start) => {
      const node = await start(runtime, "a", {}, "member_child.ts", machines.launch(0));
      for (const tls of [false, true]) {
        const { before, during, codes } = await node.ask<
          { before: number; during: number; codes: string[] }
        >("dialSilent", { hostname: machines.addresses[1], count: 20, tls });
        assertEquals(codes, ["timeout"]);
        assert(during >= before + 20, `${before}, then ${during}`);
        await until(
          "all descriptors are closed",
          async () => await node.ask<number>("descriptors") <= before + 5,
        );
      }
    });
  } finally {
    machines.remove();
  }
});
