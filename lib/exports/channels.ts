/**
 * Channels: topics with authorisation, acknowledged events, presence and history, on all nodes of a
 * cluster, over Phoenix's channel protocol. Clients use `@firn/firn/client`, or a Phoenix client.
 *
 * @module
 */
export {
  type Channel,
  channel,
  type ChannelOptions,
  type ChannelSocket,
  type EventHandler,
  type HistoryOptions,
  type LeaveReason,
  type Position,
  type PresenceList,
  type PresenceMeta,
  type Schema,
  type SchemaResult,
} from "../channel/channel.ts";
export { type Channels, type ChannelUser, type QueryOptions } from "../channel/channels.ts";
export { ChannelError } from "../channel/errors.ts";
export type { ListedClient } from "../channel/hub.ts";
export type { ChannelServeOptions } from "../channel/mount.ts";
export { clientSource } from "../client/source.ts";
