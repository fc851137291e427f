/**
 * The observation API: types of `node.info`, `node.top`, `node.tree` and `node.stats`, and of
 * `node.sys`.
 *
 * @module
 */
export type { ActorStatus } from "../actor/actor.ts";
export type { MemoryUse } from "../host/host.ts";
export type { ActorInfo, CallInfo } from "../observe/actor_info.ts";
export { ObserveError, type ObserveFailure } from "../observe/error.ts";
export { OBSERVE_ACCESS, type ObserveAccess, type OnNode } from "../observe/observation.ts";
export type { TracedMessage, TraceOptions } from "../observe/message_trace.ts";
export type { Recorded } from "../observe/recorder.ts";
export type { Warning, WarningKind, WarningLimits } from "../observe/warning.ts";
export type { Sys } from "../observe/sys.ts";
export type { LoopDelay, NodeStats, SessionStats } from "../observe/stats.ts";
export { TOP_ORDERS, type TopActor, type TopOptions, type TopOrder } from "../observe/top.ts";
export type { TreeEntry } from "../observe/tree.ts";
export { type Dashboard, dashboard } from "../observe/dashboard.ts";
export { METRIC_FORMATS, METRIC_TYPES, type MetricFormat } from "../observe/metrics.ts";
export { observer, type ObserverNode, type ObserverOptions } from "../observe/observer.ts";
export type { ShellNode } from "../observe/shell_commands.ts";
