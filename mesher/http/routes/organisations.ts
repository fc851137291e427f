/**
 * Routes of organisations and their members.
 *
 * @module
 */
import { type Member, type Role, ROLES } from "../../storage/organisations.ts";
import type { Result } from "../../storage/result.ts";
import { changeRoute } from "../change.ts";
import { mustFit, mustWait } from "../quota.ts";
import { HttpError } from "../http_error.ts";
import type { Fields, Reply, Route, RouteInput } from "../route.ts";
import { membershipsOf, mustManage, organisationOf, personIn } from "../scope.ts";
import { memberShape, organisationShape } from "../shapes.ts";
import { newPasswordHash, PASSWORD } from "./account.ts";
import { slugOf } from "./projects.ts";

/** The routes of organisations. */
export const organisationRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/orgs",
    name: "listOrganizations",
    about: "Lists the user's organisations.",
    access: "user",
    ok: 200,
    errors: [401],
    returns: '[{"id","name","slug","role","created_at"}]',
    handle: (asked) => ({ json: membershipsOf(asked).map(organisationShape) }),
  },
  {
    method: "POST",
    path: "/api/v1/orgs",
    name: "createOrganization",
    about: "Creates an organisation. Its owner is the user.",
    access: "user",
    body: {
      name: { type: "string", required: true, max: 200 },
      slug: { type: "string", max: 64 },
    },
    ok: 201,
    errors: [400, 401, 409],
    returns: '{"id","name","slug","role","created_at"}',
    async handle(asked): Promise<Reply> {
      const { user, memberships } = personIn(asked);
      mustFit("organizations of one user", memberships.length);
      const name = asked.body["name"] as string;
      const slug = slugOf(asked.body["slug"] as string | undefined, name);
      const made = await asked.mesher.storage.createOrganisation({
        name,
        slug,
        ownerId: user.id,
      });
      if (!made.ok) throw new HttpError(409, "slug is taken");
      return { json: organisationShape({ organisation: made.value, role: "owner" }) };
    },
  },
  {
    method: "GET",
    path: "/api/v1/orgs/:org_id",
    name: "getOrganization",
    about: "One organisation.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: '{"id","name","slug","role","created_at"}',
    handle: (asked) => ({ json: organisationShape(organisationOf(asked)) }),
  },
  {
    method: "GET",
    path: "/api/v1/orgs/:org_id/members",
    name: "listMembers",
    about: "Lists the members of an organisation.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: '[{"id","user_id","email","display_name","role","joined_at"}]',
    async handle(asked): Promise<Reply> {
      const { organisation } = organisationOf(asked);
      const members = await asked.mesher.storage.members(organisation.id);
      return { json: members.map(memberShape) };
    },
  },
  memberRoute({
    path: "/api/v1/orgs/:org_id/members",
    name: "addMember",
    about: "Adds a user, by id or email. A user who looks up many unknown addresses gets a 429.",
    body: {
      user_id: { type: "string" },
      email: { type: "string", max: 254 },
    },
  }, async (asked) => {
    const { body, mesher } = asked;
    const { user_id: id, email } = body as { user_id?: string; email?: string };
    if (!id && !email) throw new HttpError(400, "user_id is required");
    const userId = id || await lookUp(asked, email!);
    const theirs = await mesher.storage.organisationsOf(userId);
    mustFit("organizations of one user", theirs.length);
    return userId;
  }),
  memberRoute({
    path: "/api/v1/orgs/:org_id/users",
    name: "createUser",
    about: "Creates a user, who is a member at once.",
    body: {
      email: { type: "string", required: true, max: 254 },
      display_name: { type: "string", max: 200 },
      password: PASSWORD,
    },
  }, async (asked) => {
    const { body, mesher } = asked;
    const email = (body["email"] as string).trim();
    // Rejects characters that are invisible or break lines.
    if (!/^[^\s@\p{C}]+@[^\s@\p{C}]+$/u.test(email)) {
      throw new HttpError(400, "email must be an address");
    }
    const displayName = (body["display_name"] as string | undefined) || email;
    const passwordHash = await newPasswordHash(mesher, body["password"] as string);
    const undo = countLookup(asked);
    const made = await mesher.storage.createUser({ email, displayName, passwordHash });
    if (!made.ok) throw new HttpError(409, "email is taken");
    undo();
    return made.value.id;
  }),
  changeRoute({
    path: "/api/v1/orgs/:org_id/members/:membership_id/role",
    name: "setRole",
    about: "Changes a member's role. The role of the last owner cannot be changed.",
    body: { role: { type: "string", required: true, enum: ROLES } },
    errors: [409],
  }, async (asked) => {
    const { orgId, role } = managedBy(asked);
    const id = asked.params["membership_id"]!;
    mustOutrank(asked, await memberOf(asked, orgId));
    return done(await asked.mesher.storage.setRole(orgId, id, role));
  }),
  changeRoute({
    path: "/api/v1/orgs/:org_id/members/:membership_id/remove",
    name: "removeMember",
    about: "Removes a member, or the user itself. The last owner cannot be removed.",
    errors: [409],
  }, async (asked) => {
    const { organisation, role } = organisationOf(asked);
    const target = await memberOf(asked, organisation.id);
    // Any member may leave the organisation.
    if (target?.userId !== personIn(asked).user.id) {
      mustManage(role);
      mustOutrank(asked, target);
    }
    const id = asked.params["membership_id"]!;
    return done(await asked.mesher.storage.removeMember(organisation.id, id));
  }),
];

/** Creates a route that adds a member. `userOf` finds or creates the user. */
function memberRoute(
  { body, ...row }: Pick<Route, "path" | "name" | "about"> & { readonly body: Fields },
  userOf: (asked: RouteInput) => Promise<string>,
): Route {
  return {
    ...row,
    method: "POST",
    access: "user",
    body: { ...body, role: { type: "string", enum: ROLES } },
    ok: 201,
    errors: [400, 401, 403, 404, 409, 429],
    returns: '{"id","user_id"}',
    async handle(asked): Promise<Reply> {
      const { orgId, role } = managedBy(asked);
      const { storage } = asked.mesher;
      mustFit("members of one organization", (await storage.members(orgId)).length);
      const userId = await userOf(asked);
      const added = await storage.addMember(orgId, userId, role);
      if (added.ok) return { json: { id: added.value.id, user_id: userId } };
      throw added.reason === "already_member"
        ? new HttpError(409, "already a member")
        : new HttpError(
          404,
          added.reason === "no_user" ? "user not found" : "organization not found",
        );
    },
  };
}

/**
 * Returns the user of an address. A manager can always find out whether an address has an account:
 * as in the original Mesher, an added user becomes a member at once and is listed with the address.
 * Creating a second account with an address also fails visibly. Only invitations that the user must
 * accept would hide this. To prevent trying lists of addresses, the number of addresses that a user
 * may look up is limited.
 */
async function lookUp(asked: RouteInput, email: string): Promise<string> {
  const undo = countLookup(asked);
  const found = await asked.mesher.storage.credentials(email);
  if (found === null) throw new HttpError(404, "user not found");
  undo();
  return found.user.id;
}

/**
 * Counts a lookup of an address. Throws 429 if the user has looked up too many addresses. Returns a
 * function that undoes the count, for a lookup that revealed nothing.
 */
function countLookup(asked: RouteInput): () => void {
  const { lookups, now } = asked.mesher;
  const { id } = personIn(asked).user;
  mustWait(lookups.take(id, now()));
  return () => lookups.giveBack(id);
}

/**
 * Returns the organisation and the role to assign in it. Only an owner may assign the role of
 * owner.
 */
export function managedBy(asked: RouteInput): { readonly orgId: string; readonly role: Role } {
  const { organisation, role } = organisationOf(asked);
  mustManage(role);
  const given = (asked.body["role"] as Role | undefined) ?? "member";
  if (given === "owner" && role !== "owner") throw new HttpError(403, "only an owner may do this");
  return { orgId: organisation.id, role: given };
}

/** Returns the member in the path, if there is one. */
async function memberOf(
  { mesher, params }: RouteInput,
  orgId: string,
): Promise<Member | undefined> {
  const members = await mesher.storage.members(orgId);
  return members.find(({ id }) => id === params["membership_id"]);
}

/** Throws 403 if the target is an owner and the user is not: only an owner may change an owner. */
function mustOutrank(asked: RouteInput, target: Member | undefined): void {
  if (target?.role === "owner" && organisationOf(asked).role !== "owner") {
    throw new HttpError(403, "only an owner may do this");
  }
}

function done(result: Result<unknown, "no_member" | "last_owner">): boolean {
  if (result.ok) return true;
  throw result.reason === "no_member"
    ? new HttpError(404, "member not found")
    : new HttpError(409, "an organization needs an owner");
}
