/**
 * Routes of projects, their settings and their keys.
 *
 * @module
 */
import { isId } from "../../domain/id.ts";
import { type ScrubRules, scrubRulesFrom } from "../../domain/scrub.ts";
import { newSecret } from "../../domain/secret.ts";
import { allows } from "../../domain/token_scope.ts";
import { changeRoute } from "../change.ts";
import { mustFit } from "../quota.ts";
import { HttpError } from "../http_error.ts";
import type { Fields, Reply, Route } from "../route.ts";
import {
  inScope,
  isManager,
  membershipsOf,
  mustManage,
  organisationOf,
  personIn,
  projectPlaceOf,
} from "../scope.ts";
import { keyShape, projectShape } from "../shapes.ts";

/** The form of a slug, which identifies a project or an organisation in URLs. */
export const SLUG: RegExp = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;

/** The settings of a project that may be changed. */
const SETTINGS: Fields = {
  name: { type: "string", max: 200, min: 1 },
  platform: { type: "string", max: 64, nullable: true },
  retention_days: { type: "integer", min: 1, max: 3650 },
  sample_rate: { type: "number", min: 0, max: 1 },
  scrub: {
    type: "object",
    about: "{enabled, fields, safe}: which secrets are removed; names that mean secrets, and none",
  },
};

/** The routes of projects. */
export const projectRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/projects",
    name: "listAllProjects",
    about: "Lists the projects of all the user's organisations.",
    access: "user",
    ok: 200,
    errors: [401],
    returns: "[project]",
    async handle(asked): Promise<Reply> {
      const lists = await Promise.all(
        membershipsOf(asked).map(({ organisation }) =>
          asked.mesher.storage.projects(organisation.id)
        ),
      );
      return { json: lists.flat().map(projectShape) };
    },
  },
  {
    method: "GET",
    path: "/api/v1/orgs/:org_id/projects",
    name: "listProjects",
    about: "Lists the projects of an organisation.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: "[project]",
    async handle(asked): Promise<Reply> {
      const { organisation } = organisationOf(asked);
      const projects = await asked.mesher.storage.projects(organisation.id);
      return { json: projects.map(projectShape) };
    },
  },
  {
    method: "POST",
    path: "/api/v1/orgs/:org_id/projects",
    name: "createProject",
    about: "Creates a project. Without a slug, it is derived from the name.",
    access: "user",
    body: {
      name: { type: "string", required: true, max: 200 },
      slug: { type: "string", max: 64 },
      platform: { type: "string", max: 64, nullable: true },
    },
    ok: 201,
    errors: [400, 401, 403, 404, 409],
    returns: "project",
    async handle(asked): Promise<Reply> {
      const { organisation, role } = organisationOf(asked);
      mustManage(role);
      const { storage } = asked.mesher;
      const others = await storage.projects(organisation.id);
      mustFit("projects of one organization", others.length);
      const name = asked.body["name"] as string;
      const made = await storage.createProject({
        orgId: organisation.id,
        name,
        slug: slugOf(asked.body["slug"] as string | undefined, name),
        platform: (asked.body["platform"] as string | null | undefined) ?? null,
      });
      if (made.ok) return { json: projectShape(made.value) };
      throw made.reason === "slug_taken"
        ? new HttpError(409, "slug is taken")
        : new HttpError(404, "organization not found");
    },
  },
  {
    method: "GET",
    path: "/api/v1/projects/:project_id",
    name: "getProject",
    about: "One project.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: "project",
    handle: async (asked) => ({ json: projectShape((await projectPlaceOf(asked)).project) }),
  },
  changeRoute({
    path: "/api/v1/projects/:project_id/delete",
    name: "deleteProject",
    about: "Deletes a project and all its data.",
  }, async (asked) => {
    const { project, membership } = await projectPlaceOf(asked);
    mustManage(membership.role);
    const { storage, keys } = asked.mesher;
    const deleted = await storage.deleteProject(membership.organisation.id, project.id);
    keys.forget();
    return deleted;
  }),
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/settings",
    name: "getSettings",
    about: "A project's settings.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: '{"retention_days","sample_rate","scrub","name","platform"}',
    async handle(asked): Promise<Reply> {
      const { project } = await projectPlaceOf(asked);
      const { name, platform, retentionDays, sampleRate, scrub } = project;
      return {
        json: { retention_days: retentionDays, sample_rate: sampleRate, scrub, name, platform },
      };
    },
  },
  changeRoute({
    path: "/api/v1/projects/:project_id/settings",
    name: "setSettings",
    about: "Changes settings. Absent settings stay unchanged.",
    body: SETTINGS,
  }, async (asked) => {
    const { project, membership } = await projectPlaceOf(asked);
    mustManage(membership.role);
    const { body } = asked;
    if ((body["name"] as string | undefined)?.trim() === "") {
      throw new HttpError(400, "name must not be empty");
    }
    const { storage, keys } = asked.mesher;
    const changed = await storage.updateProject(membership.organisation.id, project.id, {
      name: body["name"] as string | undefined,
      platform: body["platform"] as string | null | undefined,
      retentionDays: body["retention_days"] as number | undefined,
      sampleRate: body["sample_rate"] as number | undefined,
      scrub: body["scrub"] === undefined ? undefined : scrubRulesOf(body["scrub"]),
    });
    keys.forget();
    return changed !== null;
  }),
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/api-keys",
    name: "listApiKeys",
    about:
      "A project's keys. A token that may only read gets them without the keys, and an earlier " +
      "version kept none.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: '[{"id","project_id","label","prefix","key_value","created_at","revoked_at"}]',
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      const { storage } = asked.mesher;
      const keys = await storage.apiKeys(membership.organisation.id, project.id);
      const mayShow = allows(personIn(asked).session.scopes, "manage");
      return { json: keys.map((key) => keyShape(key, mayShow)) };
    },
  },
  {
    method: "POST",
    path: "/api/v1/projects/:project_id/api-keys",
    name: "createApiKey",
    about: "Makes a key.",
    access: "user",
    body: { label: { type: "string", max: 100 } },
    ok: 201,
    errors: [400, 401, 403, 404, 409],
    returns: '{"key_value","id"}',
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      mustManage(membership.role);
      const { storage } = asked.mesher;
      const orgId = membership.organisation.id;
      const others = await storage.apiKeys(orgId, project.id);
      mustFit("keys of one project", others.filter((key) => key.revokedAt === null).length);
      const { secret, hash, prefix } = newSecret("key");
      const made = await storage.createApiKey(orgId, {
        projectId: project.id,
        label: (asked.body["label"] as string | undefined)?.trim() || "default",
        prefix,
        secret,
        secretHash: hash,
      });
      if (!made.ok) throw new HttpError(404, "project not found");
      return { json: { key_value: secret, id: made.value.id } };
    },
  },
  changeRoute({
    path: "/api/v1/api-keys/:key_id/revoke",
    name: "revokeApiKey",
    about: "Revokes a key: at once on this node, within two seconds on the others.",
  }, async (asked) => {
    const { storage, keys } = asked.mesher;
    const id = asked.params["key_id"]!;
    await inScope(asked, "api key", (orgId) => storage.revokeApiKey(orgId, id), isManager);
    keys.forget();
    return true;
  }),
];

/** Returns valid rules for removing secrets. Throws 400 if they are invalid. */
function scrubRulesOf(input: unknown): ScrubRules {
  const rules = scrubRulesFrom(input);
  if (typeof rules === "string") throw new HttpError(400, rules);
  return rules;
}

/** Returns the given slug if it is valid, or derives one from the name. */
export function slugOf(given: string | undefined, name: string): string {
  const slug = given ?? (name.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "").slice(0, 64).replace(/-+$/, "") || "project");
  if (!SLUG.test(slug)) {
    throw new HttpError(400, "slug must be of lower-case letters, digits and dashes");
  }
  // A slug in the form of an id could be confused with another project's id.
  if (isId(slug)) throw new HttpError(400, "slug must not be an id");
  return slug;
}
