/**
 * Types and errors of global names, quorums and singletons that `@firn/firn` does not export.
 *
 * @module
 */
export type { NameConflict, OnConflict, Resolve } from "../cluster/lost_name.ts";
export { type GlobalOptions, NameTimeoutError, type WaitOptions } from "../cluster/global.ts";
export { type Quorum, QuorumError } from "../cluster/quorum.ts";
export type { GlobalEvents } from "../cluster/registry.ts";
export { type Singleton, SingletonError } from "../cluster/singleton.ts";
export type {
  Incarnation,
  SingletonChild,
  SingletonOptions,
} from "../cluster/singleton_definition.ts";
export type { HomeCounts, HomeEvents, HomeKind, HomeOptions, Homes } from "../cluster/home.ts";
export { type ShardOptions, Shards, shards } from "../cluster/shards.ts";
export {
  type NatsConnection,
  type NatsJetStream,
  type NatsMessage,
  natsRelay,
  type NatsRelayOptions,
  type NatsStoredMessage,
} from "../cluster/nats_relay.ts";
export type { RelayPort, RelayTransport } from "../cluster/relay_transport.ts";
