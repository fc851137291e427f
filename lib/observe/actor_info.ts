/**
 * Information on an actor for operators, modelled on Erlang's `process_info`. It has the types of
 * messages and numbers, but no contents of messages. Deterministic.
 *
 * @module
 */
import type { Actor, ActorStatus } from "../actor/actor.ts";
import { type ActorRef, type Chained, watchersOf } from "../actor/actor_ref.ts";
import { OutgoingCall, PendingCall } from "../actor/call.ts";
import { listOf } from "../actor/names.ts";
import { bodyName } from "../actor/report.ts";
import type { System } from "../actor/system.ts";
import { SentTimer } from "../actor/timer.ts";
import { IncomingCall } from "../mesh/incoming_call.ts";
import { NamedRemoteActor } from "../mesh/remote_actor.ts";
import type { Pid } from "../term/pid.ts";
import { messageType } from "./message_type.ts";

/** Maximum number of entries in each list of an {@linkcode ActorInfo}. */
export const INFO_LIST_MAX = 100;

/** Maximum number of timers and calls that are counted for one actor. */
const CHAIN_MAX = 100_000;

/** A pending call of an actor. */
export interface CallInfo {
  /** The pid of the callee. */
  readonly to: Pid;
  /**
   * The name of the callee, if it was called by its name on another node. `to` then has the number
   * 0, because the pid is unknown.
   */
  readonly toName: string | undefined;
  /** Pid and names of the callee, as text. */
  readonly callee: string;
  /** The type of the request, for example `call add`. */
  readonly request: string;
  /** Milliseconds since the call was made. Undefined if the call has no timeout. */
  readonly ms: number | undefined;
}

/** An actor, as `node.info` returns it. Lists have at most 100 entries. */
export interface ActorInfo {
  /** The pid of the actor. */
  readonly pid: Pid;
  /** The name of the actor's node. */
  readonly node: string;
  /** The actor's registered names on that node. */
  readonly names: readonly string[];
  /** The names under which the actor is registered in the whole cluster. */
  readonly globalNames: readonly string[];
  /** The groups that the actor is a member of. */
  readonly groups: readonly string[];
  /** The function that the actor was spawned with, as in `Crash.body`. */
  readonly body: string;
  /** The supervisor of the actor; undefined if there is none. */
  readonly supervisor: Pid | undefined;
  /** The actor's id among its supervisor's children. */
  readonly child: string | undefined;
  /** The actor's parent, the parent's parent, and so on. */
  readonly ancestors: readonly Pid[];
  /** What the actor is doing. */
  readonly status: ActorStatus;
  /** Number of messages in the actor's mailbox. */
  readonly mailbox: number;
  /** Maximum length of the actor's mailbox. Undefined if there is no limit. */
  readonly mailboxMax: number | undefined;
  /** Number of messages that the actor has taken. */
  readonly handled: number;
  /**
   * Milliseconds that the actor has spent in its handlers since the measurement began. Undefined if
   * handlers are not measured.
   */
  readonly handlerMs: number | undefined;
  /**
   * The type of the message that the actor is handling, and for how many milliseconds: for a call,
   * since it was made; for other messages, since the actor was first observed with it, which is at
   * most a second late on a node with up to 10000 actors.
   */
  readonly current: { readonly message: string; readonly ms: number } | undefined;
  /** The types of the next messages in the mailbox, at most 5, in order. */
  readonly next: readonly string[];
  /** The actor's pending calls, newest first. */
  readonly calls: readonly CallInfo[];
  /** Number of calls to the actor that it has not replied to. */
  readonly callers: number;
  /** The pids of linked actors. */
  readonly links: readonly Pid[];
  /** The pids of the actors that this actor monitors. */
  readonly monitors: readonly Pid[];
  /** The pids of the actors that monitor this actor. */
  readonly monitoredBy: readonly Pid[];
  /** Number of timers that will send a message to the actor. */
  readonly timers: number;
  /** Whether exit signals are delivered to the actor as messages instead of ending it. */
  readonly trapExit: boolean;
}

/** The number of an actor's timers, the number of calls to it, and the calls that it has made. */
export interface Attached {
  readonly timers: number;
  readonly callers: number;
  readonly calls: readonly PendingCall[];
}

/** Counts the timers and callers of an actor, and lists its pending calls. */
export function attachedTo(actor: ActorRef): Attached {
  let timers = 0;
  let callers = 0;
  const calls: PendingCall[] = [];
  let left = CHAIN_MAX;
  for (let link: Chained | undefined = actor.chain; link && left-- > 0; link = link.following) {
    if (link instanceof SentTimer) timers++;
    else if (link instanceof PendingCall || link instanceof IncomingCall) callers++;
    else if (link instanceof OutgoingCall && calls.length < INFO_LIST_MAX) calls.push(link.call);
  }
  return { timers, callers, calls };
}

/** Returns the description of a pending call of an actor. */
export function callInfo(call: PendingCall, now: number): CallInfo {
  const { callee } = call;
  return {
    to: callee.pid as Pid,
    toName: callee instanceof NamedRemoteActor ? callee.name : undefined,
    callee: callee.label,
    request: messageType(call),
    ms: call.age(now),
  };
}

/**
 * Information about an actor that is not part of its own state: from the cluster, and from
 * measurements.
 */
export interface Known {
  readonly globalNames: readonly string[];
  readonly groups: readonly string[];
  readonly handlerMs: number | undefined;
  readonly currentMs: number | undefined;
}

/** Returns the information on an actor, completed with `known`. */
export function actorInfo(system: System, actor: Actor, known: Known): ActorInfo {
  const now = system.now();
  const { timers, callers, calls } = attachedTo(actor);
  const supervision = system.supervisors.of(actor);
  const { status } = actor;
  return {
    pid: actor.pid as Pid,
    node: system.home.node,
    names: listOf(actor.names),
    globalNames: known.globalNames,
    groups: known.groups,
    body: bodyOf(system, actor),
    supervisor: supervision?.supervisor,
    child: supervision?.child,
    ancestors: actor.ancestors,
    status,
    mailbox: actor.length,
    mailboxMax: actor.bound?.max,
    handled: actor.handled,
    handlerMs: known.handlerMs,
    current: known.currentMs === undefined || actor.current === undefined
      ? undefined
      : { message: messageType(actor.current), ms: Math.round(known.currentMs) },
    next: actor.peek(5).map(messageType),
    calls: calls.map((call) => callInfo(call, now)),
    callers,
    links: first(actor.links),
    monitors: first(actor.monitors?.values()).map(({ target }) => target.pid as Pid),
    monitoredBy: first(watchersOf(actor)).map(({ watcher }) => watcher.pid as Pid),
    timers,
    trapExit: actor.trapping,
  };
}

/** Returns the name of the function that an actor was spawned with. */
export function bodyOf({ signals }: System, { body }: Actor): string {
  return signals.remote?.exposedName(body) ?? bodyName(body);
}

function first<T>(items: Iterable<T> | undefined): T[] {
  const list: T[] = [];
  for (const item of items ?? []) {
    if (list.push(item) === INFO_LIST_MAX) break;
  }
  return list;
}
