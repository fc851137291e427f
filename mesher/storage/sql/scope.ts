/**
 * Restricts queries to one organisation: rows of other organisations are treated as missing.
 *
 * @module
 */
import { isId } from "../../domain/id.ts";
import type { Database, Query } from "../database.ts";
import type { Result } from "../result.ts";

/**
 * Returns the condition that the project of a row belongs to the organisation in `param`. `alias`
 * is the alias of its table.
 */
export function ofOrg(param: string, alias?: string): string {
  const column = alias === undefined ? "project_id" : `${alias}.project_id`;
  return `${column} IN (SELECT id FROM projects WHERE org_id = ${param})`;
}

/** Returns whether the project belongs to the organisation. */
export async function ownsProject(
  query: Query,
  orgId: string,
  projectId: string,
): Promise<boolean> {
  if (!isId(orgId) || !isId(projectId)) return false;
  const found = await query.row(
    "SELECT id FROM projects WHERE id = $1 AND org_id = $2",
    projectId,
    orgId,
  );
  return found !== undefined;
}

/** Returns whether the issue belongs to the organisation. */
export async function ownsIssue(query: Query, orgId: string, issueId: string): Promise<boolean> {
  if (!isId(orgId) || !isId(issueId)) return false;
  const found = await query.row(
    `SELECT i.id FROM issues i JOIN projects p ON p.id = i.project_id
     WHERE i.id = $1 AND p.org_id = $2`,
    issueId,
    orgId,
  );
  return found !== undefined;
}

/** Creates a row in a project of the organisation. */
export async function inProject<T>(
  db: Database,
  orgId: string,
  projectId: string,
  make: (query: Query, now: number) => Promise<T>,
): Promise<Result<T, "no_project">> {
  return await db.transaction(async (query) => {
    if (!await ownsProject(query, orgId, projectId)) return { ok: false, reason: "no_project" };
    return { ok: true, value: await make(query, db.now()) };
  });
}
