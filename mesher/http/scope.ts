/**
 * Finds the row with the id in a path. Throws 404 if the row does not exist, or if it belongs to no
 * organisation of the user: the response does not reveal which.
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
import type { ProjectPlace, RouteInput } from "./route.ts";

/** Returns the user of a request. */
export function personIn({ requester }: RouteInput): Person {
  if (requester.kind !== "user") throw new HttpError(401, "unauthorized");
  return requester;
}

/** Returns the memberships of the user of a request. */
export function membershipsOf(asked: RouteInput): readonly Membership[] {
  return personIn(asked).memberships;
}

/**
 * Returns the first result of `find` in the user's organisations in which the user's role satisfies
 * `mayUse`. Without such a role, throws 404, as for a user who is not a member.
 */
export async function inScope<T>(
  asked: RouteInput,
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

/** Returns the organisation in the path, by id or slug. */
export function organisationOf(asked: RouteInput): Membership {
  const wanted = asked.params["org_id"]!;
  const by = isId(wanted) ? "id" : "slug";
  for (const membership of membershipsOf(asked)) {
    if (membership.organisation[by] === wanted) return membership;
  }
  throw new HttpError(404, "organization not found");
}

/** Returns the project in the path, by id or slug. */
export function projectPlaceOf(asked: RouteInput): Promise<ProjectPlace> {
  const { storage } = asked.mesher;
  return findProject(storage, membershipsOf(asked), asked.params["project_id"]!);
}

/**
 * Returns a project of these memberships, by id or slug. A slug is unique in its organisation only:
 * an ambiguous slug is rejected, so that a user who adds another as a member cannot redirect the
 * other's requests to a project with the same slug.
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
    if (found.length > 1) throw new HttpError(409, "several projects have this slug: use the id");
  }
  if (found[0] === undefined) throw new HttpError(404, "project not found");
  return found[0];
}

/** Returns whether a role may manage an organisation: owners and admins may. */
export function isManager(role: Role): boolean {
  return role !== "member";
}

/** Throws 403 unless the role may manage an organisation. */
export function mustManage(role: Role): void {
  if (!isManager(role)) throw new HttpError(403, "only an owner or admin may do this");
}

/** Returns the page of a list that a request selects. */
export function pageOf({ query }: RouteInput, limitDefault: number): PageRequest {
  const limit = limitOf(query["limit"], limitDefault);
  const cursor = query["cursor"] as string | undefined;
  if (cursor === undefined) return { limit };
  const id = query["cursor_id"] as string | undefined;
  const after = id === undefined ? decodeCursor(cursor) : placeFrom(cursor, id);
  if (after === null) throw new HttpError(400, "cursor is not valid");
  return { limit, after };
}

/**
 * Returns the number of rows per page. As in the original Mesher, an invalid number is replaced by
 * the default.
 */
export function limitOf(limit: unknown, limitDefault: number): number {
  const value = typeof limit === "string" && /^\d{1,3}$/.test(limit) ? Number(limit) : 0;
  return value >= 1 && value <= 100 ? value : limitDefault;
}
