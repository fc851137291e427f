/**
 * Types and errors of actors that `@firn/firn` does not export: mailboxes, messages of the runtime,
 * crash reports.
 *
 * @module
 */
export type {
  MailboxPolicy,
  MessageHandler,
  ReceiveOptions,
  SpawnOptions,
  SystemMessage,
} from "../actor/self.ts";
export type { CallOptions } from "../actor/call.ts";
export {
  ArgumentError,
  BadReturnError,
  CallingSelfError,
  MailboxFullError,
  NameError,
  QueueFullError,
} from "../actor/errors.ts";
export { RuntimeMessage } from "../actor/runtime_message.ts";
export type { ActorName, RemoteSpawn } from "../actor/remote.ts";
export type { Crash, GivenUp, Restarting, SystemEvents } from "../actor/report.ts";
export type { TimerRef } from "../actor/timer.ts";
