/**
 * The supervisors of a node and their children, for crash reports, shutdown and observation.
 * Deterministic.
 *
 * @module
 */
import type { Pid } from "../term/pid.ts";
import type { Actor } from "./actor.ts";
import { listOf } from "./names.ts";

/** The children of one supervisor, by their pids. */
export interface SupervisedChildren {
  get(pid: Pid): { readonly spec: { readonly id: string } } | undefined;
}

/** A child of a supervisor. It is read from the supervisor's list, without a call. */
export interface SupervisedChild {
  readonly id: string;
  readonly type: "worker" | "supervisor";
  readonly state: "running" | "restarting" | "waiting" | "stopped";
  readonly pid: Pid<never> | undefined;
  /** Number of restarts of the child. */
  readonly restarts: number;
}

/** The supervisors of a node. */
export class Supervisors {
  /** Returns the live actor of this node that a pid identifies. */
  readonly #actorOf: (pid: Pid) => Actor | undefined;
  /** The table of children of each supervisor, by the pid of the supervisor. */
  readonly #supervisors = new Map<Pid, SupervisedChildren>();
  /** Functions that list the children of a supervisor, by the pid of the supervisor. */
  readonly #childLists = new Map<Pid, () => readonly SupervisedChild[]>();

  constructor(actorOf: (pid: Pid) => Actor | undefined) {
    this.#actorOf = actorOf;
  }

  /** Returns the top-level supervisors, in the order of their start. */
  top(): Pid[] {
    const isTop = (pid: Pid): boolean =>
      !this.#actorOf(pid)?.ancestors.some((ancestor) => this.#supervisors.has(ancestor));
    return [...this.#supervisors.keys()].filter(isTop);
  }

  /** Adds a supervisor, with the table and the list of its children. */
  add(
    supervisor: Pid,
    running: SupervisedChildren,
    list: () => readonly SupervisedChild[],
  ): void {
    this.#supervisors.set(supervisor, running);
    this.#childLists.set(supervisor, list);
  }

  /** Removes a supervisor that has exited. */
  ended(supervisor: Pid): void {
    this.#supervisors.delete(supervisor);
    this.#childLists.delete(supervisor);
  }

  /** Returns the children of a supervisor, or undefined if the actor is not one. */
  childrenOf(supervisor: Pid): readonly SupervisedChild[] | undefined {
    return this.#childLists.get(supervisor)?.();
  }

  /** Returns the supervisor of an actor, and the actor's id among its children. */
  of(actor: Actor): { readonly supervisor: Pid; readonly child: string } | undefined {
    const supervisor = this.supervisorOf(actor);
    if (supervisor === undefined) return undefined;
    const child = this.#supervisors.get(supervisor)?.get(actor.pid as Pid);
    return child && { supervisor, child: child.spec.id };
  }

  /** Returns the supervisor of an actor: usually its parent, otherwise a linked supervisor. */
  supervisorOf({ pid, ancestors, links }: Actor): Pid | undefined {
    if (links === undefined || this.#supervisors.size === 0) return undefined;
    const supervises = (other: Pid): boolean =>
      this.#supervisors.get(other)?.get(pid as Pid) !== undefined;
    return ancestors.find(supervises) ?? links.values().find(supervises);
  }

  /**
   * Returns the registered name of a supervisor, or its id as a child of another supervisor. The
   * links of the supervisor are not searched, because it may have many children.
   */
  nameOf(supervisor: Pid): string | undefined {
    const actor = this.#actorOf(supervisor);
    const [name] = listOf(actor?.names);
    if (name !== undefined || this.#supervisors.size < 2) return name;
    for (const ancestor of actor?.ancestors ?? []) {
      const child = this.#supervisors.get(ancestor)?.get(supervisor);
      if (child !== undefined) return child.spec.id;
    }
    return undefined;
  }
}
