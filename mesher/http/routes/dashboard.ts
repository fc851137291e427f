/**
 * Routes for the summary of a project.
 *
 * @module
 */
import { iso, isoOrNull } from "../../pipeline/time.ts";
import { HttpError } from "../http_error.ts";
import type { Fields, Reply, Route, RouteInput } from "../route.ts";
import { limitOf, projectPlaceOf } from "../scope.ts";
import { issueShape } from "../shapes.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** The parameters that all handlers of this file read. */
interface Place {
  readonly orgId: string;
  readonly projectId: string;
  readonly since: number;
}

/** The routes of the dashboard. */
export const dashboardRoutes: readonly Route[] = [
  dashboard("volume", "Returns the number of events by hour or day.", '[{"bucket","count"}]', {
    bucket: { type: "string", enum: ["hour", "day"] },
    days: { type: "integer", min: 1, max: 90, about: "number of days; default 1" },
  }, async ({ query, mesher }, { orgId, projectId }) => {
    const bucketMs = query["bucket"] === "day" ? DAY_MS : HOUR_MS;
    const days = (query["days"] as number | undefined) ?? 1;
    if (days * DAY_MS / bucketMs > 1_000) throw new HttpError(400, "days is too many for hours");
    const until = Math.ceil(mesher.now() / bucketMs) * bucketMs;
    const range = { since: until - days * DAY_MS, until, bucketMs };
    const buckets = await mesher.storage.volume(orgId, projectId, range);
    return buckets.map(({ at, count }) => ({ bucket: iso(at), count }));
  }),
  dashboard(
    "levels",
    "Returns the number of events of each level in the last 24 hours.",
    '[{"level","count"}]',
    {},
    async ({ mesher }, { orgId, projectId, since }) => {
      const counts = await mesher.storage.levelCounts(orgId, projectId, since);
      return counts.map(({ value, count }) => ({ level: value, count }));
    },
  ),
  dashboard(
    "top-issues",
    "Lists the unresolved issues with the most events in the last 24 hours.",
    '[{"id","title","level","status","event_count","last_seen","recent",…}]',
    { limit: { type: "any", about: "1 to 100; anything else is 10" } },
    async ({ mesher, query }, { orgId, projectId, since }) => {
      const limit = limitOf(query["limit"], 10);
      const issues = await mesher.storage.topIssues(orgId, projectId, since, limit);
      return issues.map((issue) => ({ ...issueShape(issue), recent: issue.recent }));
    },
  ),
  dashboard(
    "tags",
    "Returns the most common values of a tag in the last 24 hours; without `key`, the most common tags.",
    '[{"value","count"}]',
    { key: { type: "string" } },
    async ({ mesher, query }, { orgId, projectId, since }) => {
      const key = query["key"] as string | undefined;
      if (key === undefined) throw new HttpError(400, "missing key parameter");
      return await mesher.storage.tagValues(orgId, projectId, key, since, 20);
    },
  ),
  dashboard(
    "tag-keys",
    "Returns the most common tags in the last 24 hours.",
    '[{"value","count"}]',
    {},
    ({ mesher }, { orgId, projectId, since }) =>
      mesher.storage.tagKeys(orgId, projectId, since, 50),
  ),
  dashboard(
    "health",
    "Returns a summary of a project.",
    '{"unresolved_count","events_24h","new_today"}',
    {},
    async ({ mesher }, { orgId, projectId }) => {
      const health = await mesher.storage.projectHealth(orgId, projectId, mesher.now());
      if (health === null) throw new HttpError(404, "project not found");
      return {
        unresolved_count: health.unresolvedIssues,
        events_24h: health.events24h,
        new_today: health.newIssues24h,
      };
    },
  ),
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/storage",
    name: "getStorage",
    about: "Returns the storage that a project uses.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: '{"event_count","issue_count","estimated_bytes","oldest_at"}',
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      const { storage } = asked.mesher;
      const usage = await storage.projectUsage(membership.organisation.id, project.id);
      if (usage === null) throw new HttpError(404, "project not found");
      return {
        json: {
          event_count: usage.events,
          issue_count: usage.issues,
          estimated_bytes: usage.bytes,
          oldest_at: isoOrNull(usage.oldestAt),
        },
      };
    },
  },
];

function dashboard(
  name: string,
  about: string,
  returns: string,
  query: Fields,
  view: (asked: RouteInput, place: Place) => Promise<unknown>,
): Route {
  const words = name.split("-").map((word) => word[0]!.toUpperCase() + word.slice(1)).join("");
  return {
    method: "GET",
    path: `/api/v1/projects/:project_id/dashboard/${name}`,
    name: `getDashboard${words}`,
    about,
    access: "user",
    query,
    ok: 200,
    errors: [400, 401, 404],
    returns,
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      const place = {
        orgId: membership.organisation.id,
        projectId: project.id,
        since: asked.mesher.now() - DAY_MS,
      };
      return { json: await view(asked, place) };
    },
  };
}
