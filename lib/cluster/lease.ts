/**
 * Implements leases. With a lease, an authority outside of the cluster decides which node runs a
 * singleton.
 *
 * @module
 */
import { ArgumentError } from "../actor/errors.ts";
import { timerMs } from "../actor/timer.ts";

/**
 * An authority that grants leases, such as a database or etcd. A lease is valid for `ttl`
 * milliseconds after it is granted. Each `renew` that resolves to true extends it to `ttl`
 * milliseconds after the beginning of that call.
 *
 * The authority must not grant the lease to another node before that time has passed, unless the
 * lease was released.
 */
export interface Lease {
  /**
   * Time for which a grant or a renewal is valid, in milliseconds. A lease is renewed after a third
   * of this time. If no renewal succeeds within two thirds of it, the child is stopped, and has the
   * last third for stopping.
   */
  readonly ttl: number;
  /**
   * Tries to obtain a lease for `node`. Resolves to a fencing token: a positive integer that is
   * higher than all earlier tokens of that name. Resolves to `undefined` while another node has the
   * lease.
   */
  acquire(name: string, node: string): Promise<number | undefined>;
  /**
   * Renews a lease. Resolves to false if the lease is lost; rejects if the authority cannot be
   * reached.
   */
  renew(name: string, token: number): Promise<boolean>;
  /** Releases a lease before it expires, so that another node can obtain it. */
  release(name: string, token: number): Promise<void>;
}

/**
 * Divisor of `ttl`. A third of `ttl` is the time until a renewal, the time limit of each request to
 * the authority, and the time limit for stopping the child.
 */
const ATTEMPT_PART = 3;

/** The parts of the actor system that a lease uses. */
export interface LeaseSystem {
  now(): number;
  within<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T>;
}

/** A lease that this node has, from its grant until it is lost or released. */
export class HeldLease {
  readonly token: number;
  readonly #lease: Lease;
  readonly #name: string;
  readonly #system: LeaseSystem;
  /** The time at which the child must begin to stop, unless the lease is renewed earlier. */
  #validUntil: number;
  #renewAt: number;

  private constructor(
    lease: Lease,
    name: string,
    system: LeaseSystem,
    token: number,
    askedAt: number,
  ) {
    this.token = token;
    this.#lease = lease;
    this.#name = name;
    this.#system = system;
    this.#validUntil = askedAt + HeldLease.usedMs(lease);
    this.#renewAt = askedAt + lease.ttl / ATTEMPT_PART;
  }

  /** Time for which a lease may be used without a renewal, in milliseconds. */
  static usedMs({ ttl }: Lease): number {
    return ttl - ttl / ATTEMPT_PART;
  }

  /**
   * Tries to obtain a lease. Resolves to `undefined` if another node has it, or the authority does
   * not answer in time.
   */
  static async acquire(
    lease: Lease,
    name: string,
    node: string,
    system: LeaseSystem,
  ): Promise<HeldLease | undefined> {
    const askedAt = system.now();
    const asked = Promise.resolve().then(() => lease.acquire(name, node));
    try {
      const token = await system.within(asked, lease.ttl / ATTEMPT_PART, late);
      // Any other result, such as the `null` of a database, means that the lease was not granted.
      if (!isToken(token)) return undefined;
      const held = new HeldLease(lease, name, system, token, askedAt);
      if (held.isValid) return held;
      await held.release();
    } catch {
      // Releases a lease that is granted after the time limit.
      asked.then((token) => isToken(token) ? lease.release(name, token) : undefined)
        .catch(() => {});
    }
    return undefined;
  }

  /** Maximum time for the child to stop when the lease is lost, in milliseconds. */
  get stopMs(): number {
    return this.#lease.ttl / ATTEMPT_PART;
  }

  /**
   * Whether the lease may be used: a child that begins to stop now stops before another node can
   * obtain the lease.
   */
  get isValid(): boolean {
    return this.#system.now() < this.#validUntil;
  }

  /** Milliseconds until the lease should be renewed. */
  get renewMs(): number {
    return Math.max(0, this.#renewAt - this.#system.now());
  }

  /** Renews the lease if a renewal is due. Resolves to whether the lease is valid. */
  async renew(): Promise<boolean> {
    if (!this.isValid) return false;
    const askedAt = this.#system.now();
    if (askedAt < this.#renewAt) return true;
    const { ttl } = this.#lease;
    // If this renewal fails, the next attempt follows after a tenth of `ttl`, while the lease is
    // valid.
    this.#renewAt = askedAt + ttl / 10;
    const leftMs = Math.min(ttl / ATTEMPT_PART, this.#validUntil - askedAt);
    try {
      const asked = Promise.resolve().then(() => this.#lease.renew(this.#name, this.token));
      if (!await this.#system.within(asked, leftMs, late)) {
        this.#validUntil = -Infinity;
        return false;
      }
      this.#validUntil = askedAt + HeldLease.usedMs(this.#lease);
      this.#renewAt = askedAt + ttl / ATTEMPT_PART;
    } catch {
      // The authority cannot be reached. The child continues until `#validUntil`, which leaves it
      // enough time to stop.
    }
    return this.isValid;
  }

  /** Releases the lease. Never rejects. */
  async release(): Promise<void> {
    this.#validUntil = -Infinity;
    const asked = Promise.resolve().then(() => this.#lease.release(this.#name, this.token));
    await this.#system.within(asked, this.#lease.ttl / ATTEMPT_PART, late).catch(() => {});
  }
}

function isToken(token: number | undefined): token is number {
  return Number.isSafeInteger(token) && token! > 0;
}

/** Throws `ArgumentError` if a lease lacks a method, or its `ttl` is invalid. */
export function checkLease(lease: Lease | undefined): void {
  if (lease === undefined) return;
  const names = ["acquire", "renew", "release"] as const;
  const missing = names.find((name) => typeof lease?.[name] !== "function");
  if (missing !== undefined) throw new ArgumentError(`lease.${missing} must be a function`);
  if (!(typeof lease.ttl === "number" && lease.ttl >= 1)) {
    throw new ArgumentError(`lease.ttl is ${lease.ttl}: use milliseconds`);
  }
  timerMs(lease.ttl);
}

function late(): Error {
  return new Error("the authority of leases does not answer");
}
