/**
 * The actor behind `DynamicSupervisor`: its children have no order, are restarted independently,
 * and are stopped concurrently.
 *
 * @module
 */
import type { Self } from "../actor/self.ts";
import type { Pid } from "../term/pid.ts";
import {
  type Child,
  type ChildSpec,
  type LocalChildSpec,
  makeChild,
  type RemoteChildSpec,
  type Started,
} from "./child.ts";
import type { Intensity } from "./intensity.ts";
import type { Starting } from "./start.ts";
import { Due, type RestartPlan, SupervisorBase } from "./supervisor_base.ts";
import { SupervisorError } from "./child_info.ts";
import { UnknownCallError } from "./unknown_call.ts";

/** The spec of a dynamic child, which needs no id. */
export type DynamicChildSpec<S extends Started = Started> =
  & (
    | Omit<LocalChildSpec<S>, "id" | "significant">
    | Omit<RemoteChildSpec, "id" | "significant">
  )
  & { readonly id?: string };

/** The requests that a dynamic supervisor accepts. */
export type DynamicRequest =
  | { readonly $child: "start"; readonly spec: DynamicChildSpec }
  | { readonly $child: "terminate"; readonly pid: Pid<never> }
  | { readonly $child: "which" | "count" };

/** The actor of a dynamic supervisor. */
export class DynamicSupervisorActor extends SupervisorBase<DynamicRequest> {
  protected override readonly children: Set<Child> = new Set();
  readonly #max: number;
  #lastId = 0;

  constructor(self: Self, parent: Pid<never> | undefined, intensity: Intensity, max: number) {
    super(self, parent, intensity);
    this.#max = max;
  }

  /** Runs the supervisor, which starts without children. */
  live(starting: Starting): Promise<void> {
    starting.done();
    return this.supervise();
  }

  protected override over(child: Child): undefined {
    this.children.delete(child);
  }

  protected override stopGroup(): void {}

  protected override planRestart(child: Child, pause: number, later: boolean): RestartPlan {
    return pause === 0 && !later ? [child] : { due: new Due(child), pause };
  }

  protected override due({ child }: Due): readonly Child[] {
    return [child!];
  }

  protected override hold(child: Child): true {
    this.lifecycle.remoteChildren.wait(child);
    return true;
  }

  protected override waitingGroups(): readonly (readonly Child[])[] {
    return this.lifecycle.remoteChildren.startable(this.children).map((child) => [child]);
  }

  protected override stopAll(): Promise<void> {
    return this.lifecycle.stopTogether([...this.children]);
  }

  protected override async answer(request: DynamicRequest): Promise<unknown> {
    switch (request?.$child) {
      case "start":
        return await this.#add(request.spec);
      case "terminate": {
        const child = this.#find(request.pid);
        child.restarting = child.waiting = false;
        this.children.delete(child);
        return await this.terminate(child);
      }
      default:
        throw new UnknownCallError("no such request to a dynamic supervisor");
    }
  }

  /** Returns the child with this pid, or the child that had this pid and waits for its restart. */
  #find(pid: Pid<never>): Child {
    const child = this.lifecycle.find(pid) ??
      Array.from(this.children).find(({ restarting, former }) => restarting && former?.equals(pid));
    if (child !== undefined) return child;
    throw new SupervisorError("not_found", `there is no child ${pid}`);
  }

  async #add(spec: DynamicChildSpec): Promise<Pid> {
    if (this.children.size >= this.#max) {
      throw new SupervisorError("max_children", `there are ${this.#max} children already`);
    }
    const child = makeChild(
      { ...spec, id: spec.id ?? `dynamic_${++this.#lastId}` } as ChildSpec,
    );
    const pid = await this.start(child);
    this.children.add(child);
    return pid;
  }
}
