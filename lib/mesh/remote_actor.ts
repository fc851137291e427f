/**
 * Represents an actor of another node while links, monitors, calls or timers of this node are
 * attached to it. Operations on it are sent to its node.
 *
 * The object exists as long as something is attached to it. It exits with "noconnection" when the
 * session ends.
 *
 * @module
 */
import { PendingCall } from "../actor/call.ts";
import { ActorRef, type Monitor } from "../actor/actor_ref.ts";
import type { ExitReason } from "../term/exit.ts";
import { type Home, Pid, type Ref } from "../term/pid.ts";

/** Sends operations to the other node. Implemented by `Outbound`. */
export interface SignalSender {
  send(id: number, message: unknown): void;
  sendNamed(name: string, message: unknown): void;
  call(to: number | string, call: PendingCall): void;
  link(from: Pid<unknown>, id: number): void;
  unlink(from: Pid<unknown>, id: number): void;
  linkBroke(from: Pid, id: number, reason: ExitReason): void;
  exitSignal(from: Pid, id: number, reason: ExitReason): void;
  monitor(from: Pid<unknown>, to: number | string, ref: Ref): void;
  demonitor(from: Pid<unknown>, id: number, ref: Ref): void;
  down(ended: Pid, id: number, ref: Ref, reason: ExitReason): void;
  /** Called when nothing is attached to the remote actor any more. */
  forget(remote: RemoteActor): void;
}

/** A reference to an actor of another node. */
export class RemoteActor extends ActorRef {
  readonly pid: Pid<unknown>;
  isAlive = true;
  protected readonly sender: SignalSender;
  /**
   * For each local actor, by its id: the number of UNLINKs that the other node has not answered.
   */
  #unlinking: Map<number, number> | undefined = undefined;

  constructor(sender: SignalSender, home: Home, id: number) {
    super();
    this.sender = sender;
    this.pid = new Pid(home, id, this);
  }

  deliver(message: unknown): void {
    const { id } = this.pid;
    if (message instanceof PendingCall) this.sender.call(id, message);
    else this.sender.send(id, message);
  }

  linkBroke(from: Pid, reason: ExitReason): void {
    this.sender.linkBroke(from, this.pid.id, reason);
  }

  exitSignal(from: Pid, reason: ExitReason): void {
    this.sender.exitSignal(from, this.pid.id, reason);
  }

  down(ref: Ref, ended: Pid, reason: ExitReason): void {
    this.sender.down(ended, this.pid.id, ref, reason);
  }

  override linked(actor: ActorRef): void {
    this.sender.link(actor.pid, this.pid.id);
  }

  override unlinked({ pid }: ActorRef): void {
    this.#unlinking ??= new Map();
    this.#unlinking.set(pid.id, (this.#unlinking.get(pid.id) ?? 0) + 1);
    this.sender.unlink(pid, this.pid.id);
  }

  /**
   * Returns whether the other node has not yet answered an UNLINK of the local actor with this id.
   * Until then, its messages about the link refer to the removed link.
   */
  isUnlinking(id: number): boolean {
    return this.#unlinking !== undefined && this.#unlinking.has(id);
  }

  /** Called when the other node has answered an UNLINK. */
  unlinkedThere(id: number): void {
    const count = this.#unlinking?.get(id);
    if (count === undefined) return;
    if (count > 1) this.#unlinking!.set(id, count - 1);
    else this.#unlinking!.delete(id);
    this.released();
  }

  override watched({ watcher, ref }: Monitor): void {
    this.sender.monitor(watcher.pid, this.pid.id, ref);
  }

  override unwatched({ watcher, ref }: Monitor): void {
    this.sender.demonitor(watcher.pid, this.pid.id, ref);
  }

  override released(): void {
    const { links, watchers, monitors, chain } = this;
    const kept = links?.size || monitors?.size || this.#unlinking?.size;
    if (!kept && watchers === undefined && chain === undefined) this.sender.forget(this);
  }

  /**
   * Has no effect: the actor runs on its own node. If the session is lost, `Outbound.lost` ends
   * this object.
   */
  end(): void {}
}

/** A reference to the actor that is registered under a name on another node. */
export class NamedRemoteActor extends RemoteActor {
  readonly name: string;

  constructor(sender: SignalSender, home: Home, name: string) {
    super(sender, home, 0);
    this.name = name;
  }

  override get label(): string {
    return `${this.name} on ${this.pid.node}`;
  }

  override deliver(message: unknown): void {
    if (message instanceof PendingCall) this.sender.call(this.name, message);
    else this.sender.sendNamed(this.name, message);
  }

  override watched({ watcher, ref }: Monitor): void {
    this.sender.monitor(watcher.pid, this.name, ref);
  }
}
