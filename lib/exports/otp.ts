/**
 * Types, errors and lists of values of services, tasks and supervisors that `@firn/firn` does not
 * export.
 *
 * @module
 */
export {
  type Answer,
  type AnyPid,
  type CallContext,
  type CallHandlers,
  type CastApi,
  type CastHandlers,
  type Effects,
  type HandlerArgs,
  type InfoMessage,
  type Later,
  type Next,
  type NoProtocol,
  Outcome,
  type Reply,
  type Serves,
  type ServiceContext,
  type ServiceDefinition,
  type ServiceHandlers,
  type ServiceProtocol,
  type ServiceSelf,
  type StartArgs,
  type UnknownMembers,
} from "../otp/service_definition.ts";
export {
  type Caller,
  type NameSource,
  ServiceName,
  type ServiceTarget,
} from "../otp/service_name.ts";
export type { Spawnable, SpawnableChild, SpawnOn } from "../otp/spawnable.ts";
export { UnknownCallError } from "../otp/unknown_call.ts";
export {
  type AwaitOptions,
  type MapOptions,
  type Task,
  type TaskApi,
  TaskExitError,
  type TaskFunction,
  TaskTimeoutError,
} from "../otp/task.ts";
export {
  type Backoff,
  type ChildRules,
  ChildSpecError,
  type EitherStartOrNodeAndFn,
  NODE_DOWN_POLICIES,
  type NodeDownPolicy,
  type RemoteChildSpec,
  type Restart,
  type RestartLimit,
  RESTARTS,
  type Started,
  type StartedPid,
} from "../otp/child.ts";
export {
  AUTO_SHUTDOWNS,
  type AutoShutdown,
  type SupervisorOptions,
} from "../otp/supervisor_actor.ts";
export {
  type ChildCount,
  type ChildInfo,
  SupervisorError,
  type SupervisorFault,
} from "../otp/child_info.ts";
export type { DynamicChildSpec } from "../otp/dynamic_supervisor_actor.ts";
export type { DynamicSupervisorOptions } from "../otp/dynamic_supervisor.ts";
export {
  type Candidate,
  type NodeChoice,
  type NodeSelector,
  type Placement,
  PLACEMENTS,
} from "../otp/placement.ts";
export type { Starter } from "../otp/start.ts";
export { STRATEGIES, type Strategy } from "../otp/strategy.ts";
export {
  memoryStore,
  type PersistOptions,
  StaleStateError,
  type Store,
  type Stored,
} from "../otp/store.ts";
export { type SqliteStore, sqliteStore, type SqliteStoreOptions } from "../otp/sqlite_store.ts";
export { type StateMachine, stateMachine } from "../otp/state_machine.ts";
export type {
  MachineAnswer,
  MachineCallRule,
  MachineCalls,
  MachineCastRule,
  MachineCasts,
  MachineDefinition,
  MachineEffects,
  MachineEvents,
  MachineProtocol,
  MachineRule,
  MachineService,
  MachineState,
  MachineStateRules,
  MachineTargets,
  MachineTimeout,
  Postponed,
} from "../otp/state_machine_definition.ts";
export {
  type Job,
  JOB_FAILURES,
  type JobContext,
  JobError,
  type JobFailure,
  type PoolCounts,
  type PoolDefinition,
  type PoolEvents,
  QUEUE_POLICIES,
  type QueuePolicy,
} from "../otp/job.ts";
export { type Pool, pool, type PoolKind } from "../otp/pool.ts";
export type { Report } from "../otp/pool_actor.ts";
