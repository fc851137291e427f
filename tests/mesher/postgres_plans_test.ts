// deno-lint-ignore-file no-console
/**
 * Tests that PostgreSQL uses indexes with a condition for searches, tags, storage, retention and
 * deletions: none of their plans reads a whole table of events or a whole index of one.
 */
import { assert, assertEquals } from "@std/assert";
import type { Query, Value } from "../../mesher/storage/database.ts";
import type { Storage } from "../../mesher/storage/storage.ts";
import { test } from "../kit/test.ts";
import { party } from "./contract/world.ts";
import { provideDriver } from "./driver.ts";
import { realisticEntry } from "./event.ts";

const DAY_MS = 86_400_000;
const EVENTS = 4_000;

const missing = await provideDriver();
const cluster = missing ?? await (await import("./postgres.ts")).startPostgres();
if (typeof cluster === "string") console.log(`postgres_plans_test: skipped, ${cluster}`);
else {
  const { Postgres } = await import("../../mesher/storage/postgres.ts");
  const { storageOn } = await import("../../mesher/storage/engine.ts");

  /** A database that records the statements that it runs. */
  class Recording extends Postgres {
    readonly statements: (readonly [sql: string, params: readonly Value[]])[] = [];

    override rows<Row>(sql: string, ...params: Value[]): Promise<Row[]> {
      this.statements.push([sql, params]);
      return super.rows<Row>(sql, ...params);
    }

    override row<Row>(sql: string, ...params: Value[]): Promise<Row | undefined> {
      this.statements.push([sql, params]);
      return super.row<Row>(sql, ...params);
    }

    override change(sql: string, ...params: Value[]): Promise<number> {
      this.statements.push([sql, params]);
      return super.change(sql, ...params);
    }

    override scan<Row>(sql: string, params: readonly Value[], signal?: AbortSignal) {
      this.statements.push([sql, params]);
      return super.scan<Row>(sql, params, signal);
    }

    override transaction<T>(body: (query: Query) => Promise<T>): Promise<T> {
      const keep = (sql: string, params: Value[]): void => void this.statements.push([sql, params]);
      return super.transaction((query) =>
        body({
          rows: <Row>(sql: string, ...params: Value[]) => {
            keep(sql, params);
            return query.rows<Row>(sql, ...params);
          },
          row: <Row>(sql: string, ...params: Value[]) => {
            keep(sql, params);
            return query.row<Row>(sql, ...params);
          },
          change: (sql, ...params) => {
            keep(sql, params);
            return query.change(sql, ...params);
          },
        })
      );
    }
  }

  interface Plan {
    readonly "Node Type": string;
    readonly "Relation Name"?: string;
    readonly "Index Cond"?: string;
    readonly "Recheck Cond"?: string;
    readonly Plans?: readonly Plan[];
  }

  /** Returns the scans of events without a condition on an index. */
  const wholeScans = (plan: Plan): string[] => {
    const table = plan["Relation Name"] ?? "";
    const isBad = /^(?:events|event_ids)/.test(table) &&
      / Scan$/.test(plan["Node Type"]) && plan["Node Type"] !== "Tid Scan" &&
      plan["Index Cond"] === undefined && plan["Recheck Cond"] === undefined;
    return [
      ...(isBad ? [`${plan["Node Type"]} of ${table}`] : []),
      ...(plan.Plans ?? []).flatMap(wholeScans),
    ];
  };

  test("PostgreSQL reads events only through an index", async () => {
    const { url, drop } = await cluster.newDatabase();
    const now = Date.now();
    const postgres = new Recording({ url, now: () => now });
    const storage = storageOn(postgres);
    try {
      await postgres.migrate();
      await postgres.days.ahead(now);
      const { orgId, project } = await party(storage, "anna");
      let issueId = "";
      for (let at = 0; at < EVENTS; at += 500) {
        const entries = Array.from(
          { length: 500 },
          (_, i) => realisticEntry(project.id, now - (at + i) % 5 * DAY_MS, at + i),
        );
        const [first] = await storage.writeEvents(entries);
        if (first?.kind === "stored") issueId = first.issueId;
      }
      // Makes PostgreSQL plan as if there were a million events.
      await cluster.run(
        url,
        "ANALYZE",
        `UPDATE pg_class SET reltuples = reltuples * ${1_000_000 / EVENTS}
         WHERE relname ~ '^(events_|event_ids)' AND reltuples > 0`,
      );
      const calls: readonly (readonly [string, (storage: Storage) => Promise<unknown>])[] = [
        ["a rare word", (s) => s.events(orgId, project.id, { query: "zebra" }, { limit: 25 })],
        ["a common word", (s) => s.events(orgId, project.id, { query: "error" }, { limit: 25 })],
        [
          "a release without matches",
          (s) => s.events(orgId, project.id, { release: "none" }, { limit: 25 }),
        ],
        [
          "a tag",
          (s) => s.events(orgId, project.id, { tags: { region: "eu" } }, { limit: 25 }),
        ],
        ["tags", (s) => s.tagKeys(orgId, project.id, 0, 20)],
        ["what the project occupies", (s) => s.projectUsage(orgId, project.id)],
        ["events of an issue", (s) => s.events(orgId, project.id, { issueId }, { limit: 25 })],
        ["deleting an issue", (s) => s.deleteIssue(orgId, issueId)],
        ["deleting the project", (s) => s.deleteProject(orgId, project.id)],
        ["deleting its events", (s) => s.upkeep(now)],
      ];
      let explained = 0;
      for (const [what, call] of calls) {
        postgres.statements.length = 0;
        await call(storage);
        assert(postgres.statements.length > 0, what);
        const seen = new Set<string>();
        for (const [sql, params] of [...postgres.statements]) {
          if (!/^\s*(?:SELECT|WITH|DELETE|UPDATE)\b/.test(sql) || seen.has(sql)) continue;
          seen.add(sql);
          const [row] = await postgres.scan<Record<string, string>>(
            `EXPLAIN (FORMAT JSON) ${sql}`,
            params,
          );
          const [{ Plan: plan }] = JSON.parse(row!["QUERY PLAN"]!) as [{ Plan: Plan }];
          assertEquals(wholeScans(plan), [], `${what}: ${sql}`);
          explained++;
        }
      }
      assert(explained > 15, `${explained} statements`);
    } finally {
      await storage.close();
      await drop();
    }
  });
}
