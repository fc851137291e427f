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
export type { ListenOptions } from "./lib/base/emitter.ts";
export { type ConnectNodeOptions, Node, type NodeStopOptions } from "./lib/node.ts";
export type { LeaveOptions } from "./lib/leave.ts";
export { type Environment, nodeOptionsFromEnv } from "./lib/env.ts";
export type { SeedFunction } from "./lib/mesh/seed.ts";
export { connect } from "./lib/connect.ts";
export { serve } from "./lib/serve.ts";
export { type NodeEvents, NodeOptionError, type NodeOptions } from "./lib/start.ts";
export type {
  ActorFunction,
  MailboxPolicy,
  MessageHandler,
  ReceiveOptions,
  Self,
  SpawnOptions,
  SystemMessage,
} from "./lib/actor/self.ts";
export { Call, type CallOptions } from "./lib/actor/call.ts";
export {
  ActorExitError,
  ArgumentError,
  BadReturnError,
  CallExitError,
  CallingSelfError,
  CallTimeoutError,
  MailboxFullError,
  NameError,
  NoConnectionError,
  NodeStoppedError,
  NoProcError,
  QueueFullError,
} from "./lib/actor/errors.ts";
export { Down, Exit } from "./lib/actor/exit.ts";
export { NodeChange } from "./lib/actor/node_change.ts";
export { RuntimeMessage } from "./lib/actor/runtime_message.ts";
export type { ActorName, RemoteSpawn } from "./lib/actor/remote.ts";
export type { NameConflict, OnConflict, Resolve } from "./lib/cluster/conflict.ts";
export {
  type Global,
  type GlobalOptions,
  NameTimeoutError,
  type WaitOptions,
} from "./lib/cluster/global.ts";
export type { Lease } from "./lib/cluster/lease.ts";
export { type Quorum, QuorumError } from "./lib/cluster/quorum.ts";
export type { Groups } from "./lib/cluster/groups.ts";
export type { GlobalEvents } from "./lib/cluster/registry.ts";
export {
  type Incarnation,
  type Singleton,
  type SingletonChild,
  SingletonError,
  type SingletonOptions,
} from "./lib/cluster/singleton.ts";
export { GroupChange, NameChange } from "./lib/cluster/changes.ts";
export { type ExposeOptions, SpawnError, type SpawnFailure } from "./lib/mesh/spawner.ts";
export type { ExitReason, ExitWord, LinkedReason, ShutdownReason } from "./lib/term/exit.ts";
export { decodeTerm } from "./lib/term/decode.ts";
export { encodeTerm } from "./lib/term/encode.ts";
export { ProtocolError, TermError } from "./lib/term/errors.ts";
export type { Crash, GivenUp, Restarting, SystemEvents } from "./lib/actor/report.ts";
export type { TimerRef } from "./lib/actor/timer.ts";
export { type Home, Pid, Ref } from "./lib/term/pid.ts";
export type { MeshEvents, OwnTls } from "./lib/mesh/mesh.ts";
export type { MembershipEvents, MembershipStats } from "./lib/mesh/membership.ts";
export type { PeerOrigin } from "./lib/mesh/peers.ts";
export { NodeConnectError } from "./lib/mesh/connect_waiters.ts";
export type { PressureState } from "./lib/mesh/pressure.ts";
export { SESSION_ENDS, type SessionEnd } from "./lib/mesh/session.ts";
export { type RemoteStarter, type Service, service } from "./lib/otp/service.ts";
export {
  type Answer,
  type AnyPid,
  type CallApi,
  type CallContext,
  type CallHandlers,
  type CastApi,
  type CastHandlers,
  continueWith,
  type Effects,
  type HandlerArgs,
  type InfoMessage,
  type Later,
  type Next,
  type NoProtocol,
  noReply,
  Outcome,
  type Reply,
  type Serves,
  type ServiceContext,
  type ServiceDefinition,
  type ServiceHandlers,
  type ServicePid,
  type ServiceProtocol,
  type ServiceSelf,
  type StartArgs,
  stopService,
  type UnknownMembers,
} from "./lib/otp/service_definition.ts";
export {
  type Caller,
  type NameSource,
  ServiceName,
  type ServiceTarget,
} from "./lib/otp/service_name.ts";
export { remote, type Spawnable, type SpawnableChild, type SpawnOn } from "./lib/otp/spawnable.ts";
export { UnknownCallError } from "./lib/otp/unknown_call.ts";
export {
  type AwaitOptions,
  type MapOptions,
  type Task,
  task,
  type TaskApi,
  TaskExitError,
  type TaskFunction,
  TaskTimeoutError,
} from "./lib/otp/task.ts";
export {
  type Backoff,
  type ChildRules,
  type ChildSpec,
  ChildSpecError,
  type EitherStartOrNodeAndFn,
  type LocalChildSpec,
  NODE_DOWN_POLICIES,
  type NodeDownPolicy,
  type RemoteChildSpec,
  type Restart,
  type RestartLimit,
  RESTARTS,
  type Started,
  type StartedPid,
} from "./lib/otp/child.ts";
export {
  AUTO_SHUTDOWNS,
  type AutoShutdown,
  type SupervisorOptions,
} from "./lib/otp/supervisor_actor.ts";
export {
  type ChildCount,
  type ChildInfo,
  SupervisorError,
  type SupervisorFault,
} from "./lib/otp/child_info.ts";
export { Supervisor } from "./lib/otp/supervisor.ts";
export type { DynamicChildSpec } from "./lib/otp/dynamic_supervisor_actor.ts";
export { DynamicSupervisor, type DynamicSupervisorOptions } from "./lib/otp/dynamic_supervisor.ts";
export {
  CHILD_TYPES,
  CONFIG_BYTES_MAX,
  CONFIG_FAULTS,
  CONFIG_STRATEGIES,
  type ConfigChild,
  ConfigError,
  type ConfigFault,
  type ConfigForm,
  configOptions,
  decodeConfig,
  type DecodeConfigOptions,
  type DecodedConfig,
  encodeConfig,
  type SupervisorConfig,
} from "./lib/otp/config.ts";
export {
  type Candidate,
  type NodeChoice,
  type NodeSelector,
  type Placement,
  PLACEMENTS,
} from "./lib/otp/placement.ts";
export type { Starter } from "./lib/otp/start.ts";
export { STRATEGIES, type Strategy } from "./lib/otp/strategy.ts";
export { treeText } from "./lib/otp/tree.ts";
export { NodeNameError } from "./lib/mesh/name.ts";
export { CookieError } from "./lib/mesh/cookie.ts";
export { LOG_LEVELS, type LogLevel, type LogSink } from "./lib/base/log.ts";
export { ConnectError, type ConnectFailure, ListenError } from "./lib/host/host.ts";
export type { Address } from "./lib/host/stream.ts";
export {
  BACKPRESSURE_POLICIES,
  type BackpressureOptions,
  type BackpressurePolicy,
} from "./lib/ws/backpressure.ts";
export {
  type Connection,
  CONNECTION_STATES,
  type ConnectionHandlers,
  type ConnectionState,
  PingError,
} from "./lib/ws/connection.ts";
export { ReconnectError, type ReconnectOptions } from "./lib/ws/reconnect.ts";
export type { SharedCompression } from "./lib/ws/deflate.ts";
export {
  type Client,
  CLIENT_STATES,
  type ClientChange,
  type ClientOptions,
  type ClientState,
  HandshakeError,
  type PerAttempt,
} from "./lib/ws/client.ts";
export { CloseCodeError } from "./lib/ws/close.ts";
export {
  type Acceptance,
  type DeflateOptions,
  OptionError,
  type ServeOptions,
  type UpgradeAnswer,
} from "./lib/ws/options.ts";
export type { SendResult } from "./lib/ws/outbox.ts";
export {
  type Member,
  type Relay,
  RoomError,
  type RoomFault,
  type RoomMessage,
  Rooms,
  type RoomsOptions,
  type RoomTerms,
  type TurnEnd,
} from "./lib/ws/rooms.ts";
export {
  eventStream,
  type EventStreamOptions,
  type MessageSocket,
  roomMember,
} from "./lib/ws/room_member.ts";
export type { Server, StopOptions } from "./lib/ws/server.ts";
