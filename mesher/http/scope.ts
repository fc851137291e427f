/**
 * From an id in a path to the row that it names, if it is of an organisation that the person who asks is a
 * member of; else 404, whether or not there is one.
 *
 * @module
 */
import { decodeCursor, placeFrom } from "../domain/cursor.ts";
import { isId } from "../domain/id.ts";
import type { Membership, Role } from "../storage/organisations.ts";
import type { PageRequest } from "../storage/page.ts";
import type { Projects } from "../storage/projects.ts";
import type { Person } from "./auth.ts";
import { HttpError } from "./http_error.ts";
import type { Asked, ProjectPlace } from "./route.ts";

/** The person who asks. */
export function personIn({ who }: Asked): Person {
  if (who.kind !== "user") throw new HttpError(401, "unauthorized");
  return who;
}

/** The person's memberships. */
export function membershipsOf(asked: Asked): readonly Membership[] {
  return personIn(asked).memberships;
}

/**
 * Returns the first thing that `find` finds in the person's organisations, of those where the person has a
 * role that `mayUse` it. Where the person may not, the answer is 404, as for a stranger.
 */
export async function inScope<T>(
  asked: Asked,
  what: string,
  find: (orgId: string) => Promise<T | null | undefined | false>,
  mayUse: (role: Role) => boolean = () => true,
): Promise<T> {
  for (const { organisation, role } of membershipsOf(asked)) {
    if (!mayUse(role)) continue;
    const found = await find(organisation.id);
    if (found !== null && found !== undefined && found !== false) return found;
  }
  throw new HttpError(404, `${what} not found`);
}

/** The organisation in the path, by id or slug. */
export function organisationOf(asked: Asked): Membership {
  const wanted = asked.params["org_id"]!;
  const by = isId(wanted) ? "id" : "slug";
  for (const membership of membershipsOf(asked)) {
    if (membership.organisation[by] === wanted) return membership;
  }
  throw new HttpError(404, "organization not found");
}

/** The project in the path, by id or slug. */
export function projectPlaceOf(asked: Asked): Promise<ProjectPlace> {
  const { storage } = asked.mesher;
  return findProject(storage, membershipsOf(asked), asked.params["project_id"]!);
}

/**
 * A project of these memberships, by id or slug. A slug is unique in its organisation only: one that
 * means several is refused, so that nobody who makes you a member can have you take theirs for yours.
 */
export async function findProject(
  projects: Pick<Projects, "project">,
  memberships: readonly Membership[],
  idOrSlug: string,
): Promise<ProjectPlace> {
  const found: ProjectPlace[] = [];
  for (const membership of memberships) {
    const project = await projects.project(membership.organisation.id, idOrSlug);
    if (project !== null) found.push({ project, membership });
    if (found.length > 1) throw new HttpError(409, "several projects have this slug: say the id");
  }
  if (found[0] === undefined) throw new HttpError(404, "project not found");
  return found[0];
}

/** Whether the role is one of an organisation's managers: owner or admin. */
export function isManager(role: Role): boolean {
  return role !== "member";
}

/** Throws 403 unless the role is one of an organisation's managers. */
export function mustManage(role: Role): void {
  if (!isManager(role)) throw new HttpError(403, "only an owner or admin may do this");
}

/** Which part of a list the query asks for. */
export function pageOf({ query }: Asked, limitDefault: number): PageRequest {
  const limit = limitOf(query["limit"], limitDefault);
  const cursor = query["cursor"] as string | undefined;
  if (cursor === undefined) return { limit };
  const id = query["cursor_id"] as string | undefined;
  const after = id === undefined ? decodeCursor(cursor) : placeFrom(cursor, id);
  if (after === null) throw new HttpError(400, "cursor is not one that we gave");
  return { limit, after };
}

/** As the original has it: what makes no sense is the default. */
export function limitOf(limit: unknown, limitDefault: number): number {
  const value = typeof limit === "string" && /^\d{1,3}$/.test(limit) ? Number(limit) : 0;
  return value >= 1 && value <= 100 ? value : limitDefault;
}
