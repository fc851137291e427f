/**
 * Merges and splits issues, in the SQL that both engines share.
 *
 * A batch in progress locks its issues, so a merge waits for it; a batch after the merge finds the
 * alias. A batch that has created an issue for a fingerprint that became an alias meanwhile is
 * written again.
 *
 * @module
 */
import { isId, newId } from "../../domain/id.ts";
import { folded } from "../../domain/words.ts";
import type { Database, Query } from "../database.ts";
import type { IssueFingerprint, Merges } from "../merges.ts";
import { record } from "./activity.ts";
import { ISSUE, issueFrom, type IssueRow } from "./issue_rows.ts";
import { addMove } from "./purges.ts";
import { ofOrg } from "./scope.ts";

interface AliasRow {
  readonly fingerprint: string;
  readonly title: string;
  readonly culprit: string;
  readonly level: IssueRow["level"];
  readonly merged_at: number;
}

/** Returns the functions for merging and splitting issues on a database. */
export function merges(db: Database): Merges {
  return {
    async mergeIssues(orgId, targetId, issueIds, userId) {
      const sources = [...new Set(issueIds)].filter((id) => id !== targetId);
      const ids = [targetId, ...sources];
      if (!isId(orgId) || !ids.every(isId)) return { ok: false, reason: "no_issue" };
      return await db.transaction(async (query) => {
        const rows = await lockIssues(db, query, orgId, ids);
        const target = rows.find(({ id }) => id === targetId);
        if (target === undefined || rows.length < ids.length) {
          return { ok: false, reason: "no_issue" };
        }
        if (rows.some((row) => row.project_id !== target.project_id)) {
          return { ok: false, reason: "other_project" };
        }
        if (await isMoving(query, ids)) return { ok: false, reason: "busy" };
        if (sources.length === 0) return { ok: true, value: issueFrom(target) };
        const gone = rows.filter(({ id }) => id !== targetId);
        const merged = sumOf(target, gone);
        const now = db.now();
        for (const row of gone) await takeOver(query, now, row, targetId);
        await query.change(
          `UPDATE issues SET event_count = $2, first_seen = $3, last_seen = $4, level = $5,
             first_release = $6, last_release = $7
           WHERE id = $1`,
          targetId,
          merged.event_count,
          merged.first_seen,
          merged.last_seen,
          merged.level,
          merged.first_release,
          merged.last_release,
        );
        const titles = gone.slice(0, 10).map(({ title }) => title);
        await record(query, now, {
          issueId: targetId,
          kind: "merged",
          userId,
          data: { count: gone.length, titles },
        });
        return { ok: true, value: issueFrom(merged) };
      });
    },

    async splitIssue(orgId, issueId, fingerprints, userId) {
      if (!isId(orgId) || !isId(issueId)) return { ok: false, reason: "no_issue" };
      return await db.transaction(async (query) => {
        const [old] = await lockIssues(db, query, orgId, [issueId]);
        if (old === undefined) return { ok: false, reason: "no_issue" };
        const aliases = await aliasesOf(query, issueId);
        const own: AliasRow = { ...old, merged_at: 0 };
        const all = [own, ...aliases];
        const asked = new Set(fingerprints);
        const chosen = all.filter(({ fingerprint }) => asked.has(fingerprint));
        if (chosen.length < asked.size || asked.size === 0) {
          return { ok: false, reason: "no_fingerprint" };
        }
        if (chosen.length === all.length) return { ok: false, reason: "all_fingerprints" };
        if (await isMoving(query, [issueId])) return { ok: false, reason: "busy" };
        const now = db.now();
        // An issue that loses its original fingerprint gets the first remaining one instead.
        if (chosen[0] === own) {
          const heir = all.find((one) => !chosen.includes(one))!;
          await query.change(
            "DELETE FROM issue_aliases WHERE project_id = $1 AND fingerprint = $2",
            old.project_id,
            heir.fingerprint,
          );
          await query.change(
            `UPDATE issues SET fingerprint = $2, title = $3, title_folded = $4, culprit = $5
             WHERE id = $1`,
            issueId,
            heir.fingerprint,
            heir.title,
            folded(heir.title),
            heir.culprit,
          );
        }
        const made = await makeIssue(query, now, old, chosen);
        // The users of both issues are added again while the events are moved.
        await query.change("DELETE FROM issue_users WHERE issue_id = $1", issueId);
        await addMove(query, now, {
          kind: "split",
          from: issueId,
          to: made.id,
          fingerprints: chosen.map(({ fingerprint }) => fingerprint),
        });
        const [from, to] = [{ issue: issueId, title: old.title }, {
          issue: made.id,
          title: made.title,
        }];
        await record(query, now, { issueId, kind: "split", userId, data: { to } });
        await record(query, now, { issueId: made.id, kind: "split", userId, data: { from } });
        return { ok: true, value: issueFrom(made) };
      });
    },

    async issueFingerprints(orgId, issueId) {
      if (!isId(orgId) || !isId(issueId)) return null;
      const row = await db.row<IssueRow>(
        `SELECT ${ISSUE} FROM issues i WHERE i.id = $1 AND ${ofOrg("$2", "i")}`,
        issueId,
        orgId,
      );
      if (row === undefined) return null;
      const own: IssueFingerprint = {
        fingerprint: row.fingerprint,
        title: row.title,
        culprit: row.culprit,
        mergedAt: null,
      };
      const aliases = await aliasesOf(db, issueId);
      return [
        own,
        ...aliases.map(({ fingerprint, title, culprit, merged_at }) => ({
          fingerprint,
          title,
          culprit,
          mergedAt: merged_at,
        })),
      ];
    },
  };
}

/** Locks the issues until the transaction ends, in the order of their ids, as writers do. */
async function lockIssues(
  { dialect }: Database,
  query: Query,
  orgId: string,
  ids: readonly string[],
): Promise<IssueRow[]> {
  return await query.rows<IssueRow>(
    `SELECT ${ISSUE} FROM issues i WHERE i.id IN (${ids.map((_, i) => `$${i + 2}`).join(", ")})
       AND ${ofOrg("$1", "i")} ORDER BY i.id${dialect.forUpdate}`,
    orgId,
    ...ids,
  );
}

/** Returns whether events of one of the issues are being moved. */
async function isMoving(query: Query, ids: readonly string[]): Promise<boolean> {
  const list = ids.map((_, i) => `$${i + 1}`).join(", ");
  const found = await query.row(
    `SELECT id FROM purges WHERE target IN (${list}) OR destination IN (${list}) LIMIT 1`,
    ...ids,
  );
  return found !== undefined;
}

async function aliasesOf(query: Query, issueId: string): Promise<AliasRow[]> {
  return await query.rows<AliasRow>(
    `SELECT fingerprint, title, culprit, level, merged_at FROM issue_aliases
     WHERE issue_id = $1 ORDER BY merged_at, fingerprint`,
    issueId,
  );
}

/** Returns the row of an issue as it is after the issues of `gone` were merged into it. */
function sumOf(target: IssueRow, gone: readonly IssueRow[]): IssueRow {
  const all = [target, ...gone];
  const latest = all.reduce((a, b) => b.last_seen > a.last_seen ? b : a);
  return {
    ...target,
    level: latest.level,
    first_release: all.reduce((a, b) => b.first_seen < a.first_seen ? b : a).first_release ??
      target.first_release,
    last_release: latest.last_release ?? target.last_release,
    event_count: all.reduce((sum, row) => sum + row.event_count, 0),
    first_seen: Math.min(...all.map((row) => row.first_seen)),
    last_seen: latest.last_seen,
  };
}

/**
 * Replaces an issue by an alias of the target, and moves its aliases, activity and alerts to the
 * target. Its events are moved in the background.
 */
async function takeOver(
  query: Query,
  now: number,
  row: IssueRow,
  targetId: string,
): Promise<void> {
  await query.change("DELETE FROM issues WHERE id = $1", row.id);
  await query.change(
    `INSERT INTO issue_aliases (project_id, fingerprint, issue_id, title, culprit, level, merged_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    row.project_id,
    row.fingerprint,
    targetId,
    row.title,
    row.culprit,
    row.level,
    now,
  );
  for (const table of ["issue_aliases", "issue_activity", "alerts"]) {
    await query.change(
      `UPDATE ${table} SET issue_id = $2 WHERE issue_id = $1`,
      row.id,
      targetId,
    );
  }
  await addMove(query, now, { kind: "merge", from: row.id, to: targetId, fingerprints: [] });
}

/**
 * Creates an issue from fingerprints of another issue. Its events are moved in the background, and
 * are counted when they are moved.
 */
async function makeIssue(
  query: Query,
  now: number,
  old: IssueRow,
  chosen: readonly AliasRow[],
): Promise<IssueRow> {
  const [first, ...others] = chosen;
  const { fingerprint, title, culprit, level } = first!;
  const made: IssueRow = {
    ...old,
    id: newId(now),
    fingerprint,
    title,
    culprit,
    level,
    event_count: 0,
    user_count: 0,
    first_seen: old.last_seen,
    assigned_to: null,
  };
  await query.change(
    "DELETE FROM issue_aliases WHERE project_id = $1 AND fingerprint = $2",
    old.project_id,
    fingerprint,
  );
  await query.change(
    `INSERT INTO issues (id, project_id, fingerprint, title, title_folded, culprit, level, status,
       resolved_after, event_count, first_seen, last_seen)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $10, 0, $9, $9)`,
    made.id,
    made.project_id,
    fingerprint,
    title,
    folded(title),
    culprit,
    level,
    made.status,
    made.last_seen,
    made.resolved_after,
  );
  for (const other of others) {
    await query.change(
      "UPDATE issue_aliases SET issue_id = $3 WHERE project_id = $1 AND fingerprint = $2",
      old.project_id,
      other.fingerprint,
      made.id,
    );
  }
  return made;
}
