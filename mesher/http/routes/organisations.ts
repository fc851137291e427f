/**
 * Organisations and their members.
 *
 * @module
 */
import { hashPassword, passwordProblem } from "../../domain/password.ts";
import { type Role, ROLES } from "../../storage/storage.ts";
import { type Asked, Refusal, type Reply, type Route } from "../route.ts";
import { membershipsOf, mustManage, organisationOf } from "../scope.ts";
import { memberShape, organisationShape } from "../shapes.ts";
import { affected } from "./issues.ts";
import { slugOf } from "./projects.ts";

/** The routes. */
export const organisationRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/orgs",
    name: "listOrganizations",
    about: "The organisations that one is a member of.",
    access: "user",
    ok: 200,
    errors: [401],
    gives: '[{"id","name","slug","role","created_at"}]',
    handle: (asked) => ({ json: membershipsOf(asked).map(organisationShape) }),
  },
  {
    method: "POST",
    path: "/api/v1/orgs",
    name: "createOrganization",
    about: "Makes an organisation that one owns.",
    access: "user",
    body: {
      name: { type: "string", required: true, max: 200 },
      slug: { type: "string", max: 64 },
    },
    ok: 201,
    errors: [400, 401, 409],
    gives: '{"id","name","slug","role","created_at"}',
    async handle(asked): Promise<Reply> {
      const { who } = asked;
      if (who.kind !== "user") throw new Refusal(401, "unauthorized");
      const name = asked.body["name"] as string;
      const slug = slugOf(asked.body["slug"] as string | undefined, name);
      const made = await asked.mesher.storage.createOrganisation({
        name,
        slug,
        ownerId: who.user.id,
      });
      if (!made.ok) throw new Refusal(409, "slug is taken");
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
    gives: '{"id","name","slug","role","created_at"}',
    handle: (asked) => ({ json: organisationShape(organisationOf(asked)) }),
  },
  {
    method: "GET",
    path: "/api/v1/orgs/:org_id/members",
    name: "listMembers",
    about: "The members of an organisation.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    gives: '[{"id","user_id","email","display_name","role","joined_at"}]',
    async handle(asked): Promise<Reply> {
      const { organisation } = organisationOf(asked);
      const members = await asked.mesher.storage.members(organisation.id);
      return { json: members.map(memberShape) };
    },
  },
  {
    method: "POST",
    path: "/api/v1/orgs/:org_id/members",
    name: "addMember",
    about: "Adds a user, by id or email.",
    access: "user",
    body: {
      user_id: { type: "string" },
      email: { type: "string", max: 254 },
      role: { type: "string", enum: ROLES },
    },
    ok: 201,
    errors: [400, 401, 403, 404, 409],
    gives: '{"id"}',
    async handle(asked): Promise<Reply> {
      const managed = managedBy(asked);
      const { user_id: id, email } = asked.body as { user_id?: string; email?: string };
      if (!id && !email) throw new Refusal(400, "user_id is required");
      const userId = id || (await asked.mesher.storage.credentials(email!))?.user.id;
      if (userId === undefined) throw new Refusal(404, "user not found");
      return { json: { id: await add(asked, userId, managed) } };
    },
  },
  {
    method: "POST",
    path: "/api/v1/orgs/:org_id/users",
    name: "createUser",
    about: "Makes a new user, who is a member at once.",
    access: "user",
    body: {
      email: { type: "string", required: true, max: 254 },
      display_name: { type: "string", max: 200 },
      password: { type: "string", required: true, max: 256 },
      role: { type: "string", enum: ROLES },
    },
    ok: 201,
    errors: [400, 401, 403, 404, 409],
    gives: '{"id","user_id"}',
    async handle(asked): Promise<Reply> {
      const managed = managedBy(asked);
      const email = (asked.body["email"] as string).trim();
      const password = asked.body["password"] as string;
      if (!/^[^\s@]+@[^\s@]+$/.test(email)) throw new Refusal(400, "email must be an address");
      const problem = passwordProblem(password);
      if (problem !== null) throw new Refusal(400, problem);
      const made = await asked.mesher.storage.createUser({
        email,
        displayName: (asked.body["display_name"] as string | undefined) || email,
        passwordHash: await hashPassword(password),
      });
      if (!made.ok) throw new Refusal(409, "email is taken");
      return { json: { id: await add(asked, made.value.id, managed), user_id: made.value.id } };
    },
  },
  {
    method: "POST",
    path: "/api/v1/orgs/:org_id/members/:membership_id/role",
    name: "setRole",
    about: "Changes a member's role. The last owner stays one.",
    access: "user",
    body: { role: { type: "string", required: true, enum: ROLES } },
    ok: 200,
    errors: [400, 401, 403, 404, 409],
    gives: '{"status":"ok","affected"}',
    async handle(asked): Promise<Reply> {
      const { orgId, role } = managedBy(asked);
      const { storage } = asked.mesher;
      await mustOutrank(asked, orgId);
      const done = await storage.setRole(orgId, asked.params["membership_id"]!, role);
      return done.ok ? affected(true) : refuse(done.reason);
    },
  },
  {
    method: "POST",
    path: "/api/v1/orgs/:org_id/members/:membership_id/remove",
    name: "removeMember",
    about: "Removes a member. The last owner stays.",
    access: "user",
    ok: 200,
    errors: [401, 403, 404, 409],
    gives: '{"status":"ok","affected"}',
    async handle(asked): Promise<Reply> {
      const { organisation, role } = organisationOf(asked);
      mustManage(role);
      await mustOutrank(asked, organisation.id);
      const id = asked.params["membership_id"]!;
      const done = await asked.mesher.storage.removeMember(organisation.id, id);
      return done.ok ? affected(true) : refuse(done.reason);
    },
  },
];

/** The organisation, and the role that is to be given in it. Only an owner makes owners. */
function managedBy(asked: Asked): { readonly orgId: string; readonly role: Role } {
  const { organisation, role } = organisationOf(asked);
  mustManage(role);
  const given = (asked.body["role"] as Role | undefined) ?? "member";
  if (given === "owner" && role !== "owner") throw new Refusal(403, "only an owner may do this");
  return { orgId: organisation.id, role: given };
}

/** Only an owner does anything to an owner. */
async function mustOutrank(asked: Asked, orgId: string): Promise<void> {
  if (organisationOf(asked).role === "owner") return;
  const members = await asked.mesher.storage.members(orgId);
  const target = members.find(({ id }) => id === asked.params["membership_id"]);
  if (target?.role === "owner") throw new Refusal(403, "only an owner may do this");
}

async function add(
  asked: Asked,
  userId: string,
  { orgId, role }: { readonly orgId: string; readonly role: Role },
): Promise<string> {
  const done = await asked.mesher.storage.addMember(orgId, userId, role);
  if (done.ok) return done.value.id;
  switch (done.reason) {
    case "already_member":
      throw new Refusal(409, "already a member");
    case "no_user":
      throw new Refusal(404, "user not found");
    case "no_org":
      throw new Refusal(404, "organization not found");
  }
}

function refuse(reason: "no_member" | "last_owner"): never {
  throw reason === "no_member"
    ? new Refusal(404, "member not found")
    : new Refusal(409, "an organization needs an owner");
}
