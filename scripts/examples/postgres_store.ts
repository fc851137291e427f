/**
 * A store for the nodes of several machines, in PostgreSQL, with the client `postgres` from npm.
 */
import type { Store } from "@firn/firn/otp";

/** The part of the client that is used: `sql` of `postgres(url)`. */
export type Sql = (
  parts: TemplateStringsArray,
  ...values: (string | number | Uint8Array)[]
) => PromiseLike<readonly { key: string; value: Uint8Array; version: string }[]>;

export function postgresStore(sql: Sql): Store {
  return {
    async load(key) {
      const [row] = await sql`SELECT value, version FROM firn_state WHERE key = ${key}`;
      return row && { value: new Uint8Array(row.value), version: Number(row.version) };
    },
    async save(key, value, version, previous) {
      const rows = previous === undefined
        ? await sql`INSERT INTO firn_state (key, value, version) VALUES (${key}, ${value}, ${version})
                    ON CONFLICT (key) DO NOTHING RETURNING key`
        : await sql`UPDATE firn_state SET value = ${value}, version = ${version}
                    WHERE key = ${key} AND version = ${previous} RETURNING key`;
      return rows.length === 1;
    },
    async remove(key, version) {
      const rows =
        await sql`DELETE FROM firn_state WHERE key = ${key} AND version = ${version} RETURNING key`;
      return rows.length === 1;
    },
    async keys(prefix) {
      const rows = await sql`SELECT key FROM firn_state WHERE starts_with(key, ${prefix})`;
      return rows.map(({ key }) => key);
    },
  };
}

export const CREATE_TABLE =
  "CREATE TABLE firn_state (key text PRIMARY KEY, value bytea NOT NULL, version bigint NOT NULL)";
