/**
 * Implements leases for singletons in PostgreSQL (15 or later), with an advisory lock on a separate
 * connection, and a fencing token in a table.
 *
 *     acquire ─▶ a connection ─▶ pg_try_advisory_lock ─▶ token + 1
 *     renew   ─▶ checks that this connection still answers
 *     the holder exits, or is silent for `ttl` ─▶ the server ends the connection and frees the lock
 *
 * A write by `fenced` locks the row of the token, so that no later token is granted before the
 * write is committed. A write with an earlier token is rejected.
 *
 * @module
 */
import type { Lease } from "@firn/firn";
import postgres from "postgres@3.4.9";
import { StorageError } from "./error.ts";

/** The first key of the advisory locks of leases. The second key is a hash of the lease's name. */
const LEASE_LOCK = 0x6d736c65;
/** The key of the advisory lock under which the table of leases is created. */
const TABLE_LOCK = 0x6d736c74;
/** Default validity of a lease, in milliseconds. */
const TTL_MS = 15_000;
const CLOSE_SECONDS_MAX = 1;

const TABLE = `CREATE TABLE IF NOT EXISTS mesher_leases (
  name text PRIMARY KEY, token bigint NOT NULL, holder text NOT NULL)`;

/** The error of a write whose fencing token is no longer the latest. */
export class FencedError extends StorageError {
  constructor(name: string, token: number, current: number | undefined) {
    const words = current === undefined ? "there is none" : `the current one is ${current}`;
    super(`token ${token} of ${name} is out of date: ${words}`, false);
  }
}

/** A held lease: its connection, and the server process that has the lock. */
interface Held {
  readonly sql: postgres.Sql;
  readonly backend: number;
}

/** Acquires and renews the leases of one process. */
export class PostgresLease implements Lease {
  readonly ttl: number;
  readonly #url: string;
  readonly #held = new Map<string, Held>();

  constructor(url: string, ttl: number = TTL_MS) {
    this.#url = url;
    this.ttl = ttl;
  }

  async acquire(name: string, node: string): Promise<number | undefined> {
    const sql = this.#connect();
    try {
      const token = await sql.begin(async (query) => {
        await query`SELECT pg_advisory_xact_lock(${TABLE_LOCK}::int, 0)`;
        await query.unsafe(TABLE);
      }).then(() => this.#lock(sql, name, node));
      if (token === undefined) await sql.end({ timeout: CLOSE_SECONDS_MAX });
      return token;
    } catch (error) {
      await sql.end({ timeout: 0 }).catch(() => {});
      throw error;
    }
  }

  async renew(name: string, _token: number): Promise<boolean> {
    const held = this.#held.get(name);
    if (held === undefined) return false;
    // If the connection was lost, the driver reconnects, but the new session does not have the
    // lock.
    const [row] = await held.sql`SELECT pg_backend_pid() AS backend`;
    if (row?.["backend"] === held.backend) return true;
    await this.release(name, _token);
    return false;
  }

  async release(name: string, _token: number): Promise<void> {
    const held = this.#held.get(name);
    this.#held.delete(name);
    await held?.sql.end({ timeout: CLOSE_SECONDS_MAX });
  }

  /** Releases all leases. */
  async close(): Promise<void> {
    await Promise.all([...this.#held.keys()].map((name) => this.release(name, 0)));
  }

  async #lock(sql: postgres.Sql, name: string, node: string): Promise<number | undefined> {
    const [lock] = await sql`
      SELECT pg_try_advisory_lock(${LEASE_LOCK}::int, hashtext(${name})) AS got,
        pg_backend_pid() AS backend`;
    if (!lock?.["got"]) return undefined;
    const [row] = await sql`
      INSERT INTO mesher_leases AS l (name, token, holder) VALUES (${name}, 1, ${node})
      ON CONFLICT (name) DO UPDATE SET token = l.token + 1, holder = EXCLUDED.holder
      RETURNING token, pg_backend_pid() AS backend`;
    // The first session was lost, and the lock with it.
    if (row?.["backend"] !== lock["backend"]) {
      throw new StorageError("the connection was lost", true);
    }
    await this.release(name, 0);
    this.#held.set(name, { sql, backend: row!["backend"] });
    return Number(row!["token"]);
  }

  #connect(): postgres.Sql {
    return postgres(this.#url, {
      max: 1,
      connect_timeout: Math.max(1, this.ttl / 3_000),
      idle_timeout: 0,
      max_lifetime: null,
      onnotice: () => {},
      connection: {
        application_name: "mesher lease",
        statement_timeout: Math.ceil(this.ttl / 3),
        // After this idle time, the server ends the session of a holder that is suspended or
        // unreachable, which frees the lock.
        idle_session_timeout: this.ttl,
      },
    });
  }
}

/**
 * Runs statements in a transaction that holds the token of a lease. Rejects with
 * {@linkcode FencedError} if a later token was granted.
 */
export async function fenced<T>(
  sql: postgres.Sql,
  name: string,
  token: number,
  write: (query: postgres.TransactionSql) => Promise<T>,
): Promise<T> {
  return await sql.begin(async (query) => {
    const [row] = await query`SELECT token FROM mesher_leases WHERE name = ${name} FOR SHARE`;
    const current = row && Number(row["token"]);
    if (current !== token) throw new FencedError(name, token, current);
    return await write(query);
  }) as T;
}
