/**
 * Functions that other nodes may spawn, defined once for both sides: the exposing node and the
 * spawning nodes.
 *
 *     const job = remote("job", body)
 *       here:   node.expose(job)
 *       there:  node.spawn(job.on(name), …)   or   job.child({ id, node: name, args })
 *
 * @module
 */
import { ArgumentError } from "../actor/errors.ts";
import type { RemoteSpawn } from "../actor/remote.ts";
import type { ActorFunction } from "../actor/self.ts";
import type { ChildRules, RemoteChildSpec } from "./child.ts";

/**
 * The spec of a remote child without the members that the {@linkcode Spawnable} adds. `Args` are
 * the types of the function's arguments.
 */
export type SpawnableChild<Args extends unknown[]> =
  & ChildRules
  & Pick<RemoteChildSpec, "node" | "onNodeDown" | "timeout" | "ready">
  & ([] extends Args ? { readonly args?: Args } : { readonly args: Args });

/** Options of a spawn on another node. */
export type SpawnOn = Pick<RemoteSpawn, "timeout" | "owned">;

/**
 * A function, and the name under which nodes expose it. Created by {@linkcode remote}. A `Service`
 * is a `Spawnable` too.
 */
export interface Spawnable<Message, Args extends unknown[]> {
  /** The name under which nodes expose the function. */
  readonly name: string;
  /** The function that is spawned. */
  readonly body: ActorFunction<Message, Args>;
  /** Returns the first argument of `spawn` that runs the function on a node, `name@host:port`. */
  on(node: string, options?: SpawnOn): RemoteSpawn<Message, Args>;
  /** Returns the spec of a child that a supervisor runs on another node. */
  child(spec: SpawnableChild<Args>): RemoteChildSpec;
}

/**
 * Defines a function that other nodes may spawn. The node that exposes it and the nodes that spawn
 * it use the same definition, so the compiler checks arguments and messages on both sides.
 *
 * @throws {ArgumentError} `code` "badarg": the name is empty, or the body is not a function.
 *
 * @example
 * ```ts
 * import { type Call, Node, remote, type Self, Supervisor } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * const adder = remote("adder", (_self: Self<Call<number, number>>, to: number) => {
 *   return (call) => call.reply(call.request + to);
 * });
 *
 * const cookie = "the same on every node";
 * await using a = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
 * await using b = await Node.start({ name: "b@127.0.0.1:0", cookie, logLevel: "silent" });
 * await b.connect(a.name);
 *
 * a.expose(adder);
 * const pid = await b.spawn(adder.on(a.name), 40);
 * assertEquals(await b.call(pid, 2), 42);
 *
 * const tree = await Supervisor.start(b, {
 *   children: [adder.child({ id: "adder", node: a.name, args: [1] })],
 * });
 * assertEquals((await tree.countChildren()).active, 1);
 * await tree.stop();
 * ```
 */
export function remote<Message, Args extends unknown[]>(
  name: string,
  body: ActorFunction<Message, Args>,
): Spawnable<Message, Args> {
  if (typeof name !== "string" || name === "") {
    throw new ArgumentError("remote: the name must be a text that is not empty");
  }
  if (typeof body !== "function") throw new ArgumentError("remote: the body must be a function");
  return spawnable(name, body);
}

/** Returns the definition of a spawnable function. An empty name counts as a missing name. */
export function spawnable<Message, Args extends unknown[]>(
  name: string,
  body: ActorFunction<Message, Args>,
): Spawnable<Message, Args> {
  const fn = (): string => {
    if (name !== "") return name;
    throw new ArgumentError("other nodes cannot start a service without a name: give it one");
  };
  return {
    name,
    body,
    on: (node, options) => ({ ...options, node, fn: fn() }),
    child: (spec) => ({ ...spec, fn: fn() }),
  };
}
