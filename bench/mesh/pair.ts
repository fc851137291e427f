/**
 * Two nodes in this process with a session over loopback TLS, for the benches of what actors do across
 * it. Both sides' work is in every number, and the event loop that they share is saturated.
 *
 * @module
 */
import process from "node:process";
import type { Self } from "../../lib/actor/self.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { deriveKeys } from "../../lib/mesh/identity.ts";
import { type Parts, startNode } from "../../lib/start.ts";
import { size } from "../kit.ts";

/** Two nodes, and the name of the far one. */
export interface BenchPair {
  readonly near: Parts;
  readonly far: Parts;
  readonly name: string;
}

/** Starts them, and waits for their session. */
export async function benchPair(): Promise<BenchPair> {
  const cookie = "the benches' own";
  const keys = await deriveKeys(cookie);
  const start = (name: string): Promise<Parts> =>
    startNode(
      { name: `${name}@127.0.0.1:0`, cookie, logLevel: "silent" },
      undefined,
      () => Promise.resolve(keys),
    );
  const [near, far] = await Promise.all([start("near"), start("far")]);
  const { name } = far.mesh;
  await near.mesh.connect(name);
  // On Bun nothing else ends the process: sockets are open.
  if ("Bun" in globalThis) setTimeout(() => process.exit(0), size(30_000, 2_000)).unref?.();
  return { near, far, name };
}

/** Exposes a function on the far one, spawns it from the near one, and gives the pid it has there. */
export async function spawnThere<M>(
  { near, far, name }: BenchPair,
  body: (self: Self<M>) => Promise<unknown> | ((message: M) => unknown),
): Promise<Pid<M>> {
  far.remote.spawner.expose("body", body as never);
  const { system } = near;
  return await system.spawnAt<M>(
    system.externalCaller,
    { node: name, fn: "body" },
    false,
    undefined,
    [],
  );
}
