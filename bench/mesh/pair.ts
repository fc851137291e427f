/**
 * Two nodes in this process with a session over loopback TLS, for the benches between nodes. Every
 * result includes the work of both sides; the shared event loop is saturated.
 *
 * @module
 */
import process from "node:process";
import type { Self } from "../../lib/actor/self.ts";
import type { Pid } from "../../lib/term/pid.ts";
import { deriveKeys } from "../../lib/mesh/identity.ts";
import { type Parts, startNode } from "../../lib/start.ts";
import { size } from "../kit.ts";

/** Two connected nodes, and the name of the remote one. */
export interface BenchPair {
  readonly near: Parts;
  readonly far: Parts;
  readonly name: string;
}

/** Starts two nodes, and waits for their session. */
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
  // On Bun, open sockets keep the process alive.
  if ("Bun" in globalThis) setTimeout(() => process.exit(0), size(30_000, 2_000)).unref?.();
  return { near, far, name };
}

/**
 * Exposes a function on the remote node, and spawns it from the local node. Resolves to the pid.
 */
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
