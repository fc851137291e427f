/**
 * An actor of another node, as far as it concerns actors of this one: the cell on which links, monitors,
 * calls and timers are kept here. What happens to the cell is told to its node.
 *
 * It is there as long as something is kept on it. When the session ends, it ends, "noconnection".
 *
 * @module
 */
import { PendingCall } from "../actor/call.ts";
import { ActorRef, type Monitor } from "../actor/actor_ref.ts";
import type { ExitReason } from "../term/exit.ts";
import { type Home, Pid, type Ref } from "../term/pid.ts";

/** What can be told to the other node. */
export interface Teller {
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
  /** Nothing is kept on it any more. */
  forget(distant: RemoteActor): void;
}

/** The cell of an actor there. */
export class RemoteActor extends ActorRef {
  readonly pid: Pid<unknown>;
  isAlive = true;
  protected readonly teller: Teller;
  /** Of which of ours, by number, UNLINKs are on their way that have not been answered, and how many. */
  #unlinking: Map<number, number> | undefined = undefined;

  constructor(teller: Teller, home: Home, id: number) {
    super();
    this.teller = teller;
    this.pid = new Pid(home, id, this);
  }

  deliver(message: unknown): void {
    const { id } = this.pid;
    if (message instanceof PendingCall) this.teller.call(id, message);
    else this.teller.send(id, message);
  }

  linkBroke(from: Pid, reason: ExitReason): void {
    this.teller.linkBroke(from, this.pid.id, reason);
  }

  exitSignal(from: Pid, reason: ExitReason): void {
    this.teller.exitSignal(from, this.pid.id, reason);
  }

  down(ref: Ref, ended: Pid, reason: ExitReason): void {
    this.teller.down(ended, this.pid.id, ref, reason);
  }

  override linked(actor: ActorRef): void {
    this.teller.link(actor.pid, this.pid.id);
  }

  override unlinked({ pid }: ActorRef): void {
    this.#unlinking ??= new Map();
    this.#unlinking.set(pid.id, (this.#unlinking.get(pid.id) ?? 0) + 1);
    this.teller.unlink(pid, this.pid.id);
  }

  /**
   * Whether its node does not yet know of an unlink by this actor of ours. What it says of the link until
   * then, it says of one that is no more.
   */
  isUnlinking(id: number): boolean {
    return this.#unlinking !== undefined && this.#unlinking.has(id);
  }

  /** Its node has answered an UNLINK. */
  unlinkedThere(id: number): void {
    const count = this.#unlinking?.get(id);
    if (count === undefined) return;
    if (count > 1) this.#unlinking!.set(id, count - 1);
    else this.#unlinking!.delete(id);
    this.released();
  }

  override watched({ watcher, ref }: Monitor): void {
    this.teller.monitor(watcher.pid, this.pid.id, ref);
  }

  override unwatched({ watcher, ref }: Monitor): void {
    this.teller.demonitor(watcher.pid, this.pid.id, ref);
  }

  override released(): void {
    const { links, watchers, monitors, chain } = this;
    const kept = links?.size || watchers?.size || monitors?.size || this.#unlinking?.size;
    if (!kept && chain === undefined) this.teller.forget(this);
  }

  /** Its end is its node's business; to end the cell is the line's. */
  end(): void {}
}

/** The cell of whoever is registered under a name there. */
export class NamedRemoteActor extends RemoteActor {
  readonly name: string;

  constructor(teller: Teller, home: Home, name: string) {
    super(teller, home, 0);
    this.name = name;
  }

  override get label(): string {
    return `${this.name} on ${this.pid.node}`;
  }

  override deliver(message: unknown): void {
    if (message instanceof PendingCall) this.teller.call(this.name, message);
    else this.teller.sendNamed(this.name, message);
  }

  override watched({ watcher, ref }: Monitor): void {
    this.teller.monitor(watcher.pid, this.name, ref);
  }
}
