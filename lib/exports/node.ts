/**
 * Options, events and errors of nodes that `@firn/firn` does not export: connections between nodes,
 * membership, the log.
 *
 * @module
 */
export type { ListenOptions } from "../base/emitter.ts";
export type { Random } from "../base/random.ts";
export type { SeedFunction } from "../mesh/seed.ts";
export { type ExposeOptions, SpawnError, type SpawnFailure } from "../mesh/spawner.ts";
export type { MeshEvents, OwnTls } from "../mesh/mesh.ts";
export type { MembershipEvents, MembershipStats } from "../mesh/membership.ts";
export type { PeerOrigin } from "../mesh/peers.ts";
export { NodeConnectError } from "../mesh/connect_waiters.ts";
export type { PressureState } from "../mesh/pressure.ts";
export { SESSION_ENDS, type SessionEnd } from "../mesh/session.ts";
export { NodeNameError } from "../mesh/name.ts";
export { CookieError } from "../mesh/cookie.ts";
export { LOG_LEVELS, type LogEntry, type LogLevel, type LogSink } from "../base/log.ts";
export { ConnectError, type ConnectFailure } from "../host/host.ts";
