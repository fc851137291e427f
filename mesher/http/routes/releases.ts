/**
 * Routes of the releases of a project.
 *
 * @module
 */
import { NAME_CHARS_MAX } from "../../domain/limits.ts";
import { HttpError } from "../http_error.ts";
import type { Reply, Route } from "../route.ts";
import { pageOf, projectPlaceOf } from "../scope.ts";
import { pageShape, releaseShape } from "../shapes.ts";
import { PAGE } from "./issues.ts";

/** The routes of releases. */
export const releaseRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/releases",
    name: "listReleases",
    about: "Lists the releases of a project, newest first.",
    access: "user",
    query: PAGE,
    ok: 200,
    errors: [400, 401, 404],
    returns: '{"data":[{"id","version","created_at","new_issues","last_seen"}],"has_more",' +
      '"next_cursor","next_cursor_id"}',
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      const orgId = membership.organisation.id;
      const page = await asked.mesher.storage.releases(orgId, project.id, pageOf(asked, 25));
      return { json: pageShape(page, releaseShape) };
    },
  },
  {
    method: "POST",
    path: "/api/v1/projects/:project_id/releases",
    name: "addRelease",
    about: "Creates a release before its first event. An existing release is not an error.",
    access: "user",
    body: { version: { type: "string", required: true, max: NAME_CHARS_MAX } },
    ok: 200,
    errors: [400, 401, 404],
    returns: '{"id","version","created_at","new_issues","last_seen"}',
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      const version = (asked.body["version"] as string).trim();
      const orgId = membership.organisation.id;
      const done = await asked.mesher.storage.addRelease(orgId, project.id, version);
      if (!done.ok) throw new HttpError(404, "project not found");
      return { json: releaseShape(done.value) };
    },
  },
];
