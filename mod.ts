/**
 * Firn: nodes that form a mesh, and WebSocket rooms that span it, for Deno and Bun.
 *
 * @example A chat that runs on as many machines as you like
 * ```ts
 * import { Node } from "@firn/firn";
 * import { assertEquals } from "@std/assert";
 *
 * const cookie = "the same on every node";
 * const start = (short: string, seeds: string[]) =>
 *   Node.start({ name: `${short}@127.0.0.1:0`, cookie, seeds, logLevel: "silent" });
 * const chat = (node: Node) =>
 *   node.serve({
 *     open: (conn) => conn.join("lobby"),
 *     message: (_conn, text) => node.rooms.broadcast("lobby", text),
 *   });
 *
 * await using a = await start("a", []);
 * await using b = await start("b", [a.name]);
 * const [here, there] = [await chat(a), await chat(b)];
 *
 * const mine = new WebSocket(here.url);
 * const yours = new WebSocket(there.url);
 * await Promise.all([mine, yours].map((socket) => new Promise((open) => socket.onopen = open)));
 * if (a.peers().length === 0) await new Promise<unknown>((up) => a.on("nodeup", up));
 *
 * const heard = new Promise((hear) => yours.onmessage = (event) => hear(event.data));
 * mine.send("hello from the other node");
 * assertEquals(await heard, "hello from the other node");
 * mine.close();
 * yours.close();
 * ```
 *
 * @module
 */
export { type ConnectNodeOptions, Node, type NodeStopOptions } from "./lib/node.ts";
export type { LeaveOptions } from "./lib/leave.ts";
export { type Environment, nodeOptionsFromEnv } from "./lib/env.ts";
export { connect } from "./lib/connect.ts";
export { serve } from "./lib/serve.ts";
export { NodeOptionError, type NodeOptions } from "./lib/node_options.ts";
export type { NodeEvents } from "./lib/node_events.ts";
export type { ActorFunction, Self } from "./lib/actor/self.ts";
export { Call } from "./lib/actor/call.ts";
export {
  ActorExitError,
  CallExitError,
  CallTimeoutError,
  NoConnectionError,
  NodeStoppedError,
  NoProcError,
} from "./lib/actor/errors.ts";
export { Down, Exit } from "./lib/actor/exit.ts";
export { NodeChange } from "./lib/actor/node_change.ts";
export type { Global } from "./lib/cluster/global.ts";
export type { Lease } from "./lib/cluster/lease.ts";
export type { Groups } from "./lib/cluster/groups.ts";
export { GroupChange, NameChange } from "./lib/cluster/changes.ts";
export type { ExitReason } from "./lib/term/exit.ts";
export { Pid, Ref } from "./lib/term/pid.ts";
export { type RemoteStarter, type Service, service } from "./lib/otp/service.ts";
export {
  type CallApi,
  continueWith,
  noReply,
  type ServicePid,
  stopService,
} from "./lib/otp/service_definition.ts";
export { remote } from "./lib/otp/spawnable.ts";
export { task } from "./lib/otp/task.ts";
export type { ChildSpec, LocalChildSpec } from "./lib/otp/child.ts";
export { Supervisor } from "./lib/otp/supervisor.ts";
export { DynamicSupervisor } from "./lib/otp/dynamic_supervisor.ts";
export { treeText } from "./lib/otp/tree.ts";
export { ListenError } from "./lib/host/host.ts";
export type { Address } from "./lib/host/stream.ts";
export type { Connection } from "./lib/ws/connection.ts";
export type { ServeOptions, UpgradeAnswer } from "./lib/ws/options.ts";
export { Rooms } from "./lib/ws/rooms.ts";
export type { Server } from "./lib/ws/server.ts";
