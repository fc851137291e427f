/**
 * Routes of issues: lists, details, and actions of users.
 *
 * @module
 */
import { LEVELS } from "../../domain/event.ts";
import { announceCount } from "../../services/announcer.ts";
import {
  type Issue,
  ISSUE_SORTS,
  ISSUE_STATUSES,
  type IssueFilter,
  type IssueStatus,
} from "../../storage/issues.ts";
import { changeRoute } from "../change.ts";
import { readSearch } from "../input.ts";
import { HttpError } from "../http_error.ts";
import type { Fields, Reply, Route, RouteInput } from "../route.ts";
import { inScope, limitOf, pageOf, personIn, projectPlaceOf } from "../scope.ts";
import { eventShape } from "../event_json.ts";
import { issueShape, pageShape } from "../shapes.ts";
import { iso } from "../../pipeline/time.ts";

/** The query fields of a paged list. */
export const PAGE: Fields = {
  cursor: { type: "string", about: "next_cursor of the previous page" },
  cursor_id: { type: "string", about: "next_cursor_id of the previous page" },
  limit: { type: "any", about: "1 to 100; anything else is 25" },
};

const ISSUE = "issue";
/** Milliseconds per hour. */
const HOUR_MS = 3_600_000;
/** Milliseconds per day. */
const DAY_MS = 86_400_000;

/** The routes of issues. */
export const issueRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/issues",
    name: "listIssues",
    about: "The issues of a project, those with the latest events first.",
    access: "user",
    query: {
      status: { type: "string", enum: ISSUE_STATUSES },
      level: { type: "string", enum: LEVELS },
      assigned_to: { type: "string", about: 'a user\'s id, or "none"' },
      q: {
        type: "string",
        about:
          "is:unresolved level:error release:1.2 environment:prod user:42 tag:value words; ! excludes",
      },
      sort: { type: "string", enum: ISSUE_SORTS, about: "default: last_seen" },
      ...PAGE,
    },
    ok: 200,
    errors: [400, 401, 404],
    returns: '{"data":[issue],"has_more","next_cursor","next_cursor_id"}',
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      const { query } = asked;
      const assigned = query["assigned_to"] as string | undefined;
      const search = readSearch(query["q"] as string | undefined);
      const { release, environment, user, tags } = search;
      const isOfEvents = [release, environment, user, tags].some((one) => one !== undefined);
      const filter: IssueFilter = {
        status: search.status ?? query["status"] as IssueStatus | undefined,
        level: search.level ?? (query["level"] as IssueFilter["level"]),
        assignedTo: assigned === "none" ? null : assigned ?? search.assignedTo,
        query: search.words === "" ? undefined : search.words,
        events: isOfEvents ? { release, environment, user, tags } : undefined,
        not: search.not,
        sort: query["sort"] as IssueFilter["sort"],
      };
      const { storage } = asked.mesher;
      const orgId = membership.organisation.id;
      const page = await storage.issues(orgId, project.id, filter, pageOf(asked, 25));
      return { json: pageShape(page, issueShape) };
    },
  },
  {
    method: "GET",
    path: "/api/v1/issues/:issue_id",
    name: "getIssue",
    about: "One issue.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: "issue",
    handle: async (asked) => ({ json: issueShape((await issueOf(asked)).issue) }),
  },
  {
    method: "GET",
    path: "/api/v1/issues/:issue_id/events",
    name: "listIssueEvents",
    about: "The events of an issue, newest first.",
    access: "user",
    query: PAGE,
    ok: 200,
    errors: [400, 401, 404],
    returns: '{"data":[event],"has_more","next_cursor","next_cursor_id"}',
    async handle(asked): Promise<Reply> {
      const { orgId, issue } = await issueOf(asked);
      const page = await asked.mesher.storage.issueEvents(orgId, issue.id, pageOf(asked, 25));
      return { json: pageShape(page, eventShape) };
    },
  },
  {
    method: "GET",
    path: "/api/v1/issues/:issue_id/timeline",
    name: "getIssueTimeline",
    about: "Returns the times of an issue's latest events.",
    access: "user",
    query: { limit: { type: "any", about: "1 to 100; anything else is 50" } },
    ok: 200,
    errors: [401, 404],
    returns: '[{"id","level","message","received_at"}]',
    async handle(asked): Promise<Reply> {
      const { orgId, issue } = await issueOf(asked);
      const limit = limitOf(asked.query["limit"], 50);
      const page = await asked.mesher.storage.issueEvents(orgId, issue.id, { limit });
      return {
        json: page.rows.map(({ id, level, message, receivedAt }) => ({
          id,
          level,
          message,
          received_at: iso(receivedAt),
        })),
      };
    },
  },
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/issues/volumes",
    name: "getIssueVolumes",
    about: "Returns the number of events of issues in each of the last 24 hours or 30 days.",
    access: "user",
    query: {
      ids: { type: "string", max: 4_000, about: "at most 100 ids, separated by commas" },
      period: { type: "string", enum: ["24h", "30d"], about: "default: 24h" },
    },
    ok: 200,
    errors: [400, 401, 404],
    returns: '{"since","bucket_ms","volumes":{id:[count]}}: issues without events are absent',
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      const ids = ((asked.query["ids"] ?? "") as string).split(",");
      const [bucketMs, count] = asked.query["period"] === "30d" ? [DAY_MS, 30] : [HOUR_MS, 24];
      const until = (Math.floor(asked.mesher.now() / bucketMs) + 1) * bucketMs;
      const since = until - count * bucketMs;
      const volumes = await asked.mesher.storage.issueVolumes(
        membership.organisation.id,
        project.id,
        ids,
        { since, until, bucketMs },
      );
      const json = {
        since: iso(since),
        bucket_ms: bucketMs,
        volumes: Object.fromEntries(volumes),
      };
      return { json };
    },
  },
  {
    method: "GET",
    path: "/api/v1/issues/:issue_id/tags",
    name: "getIssueTags",
    about: "Returns the most common values of each tag of an issue in the last 30 days.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: '[{"key","values":[{"value","count"}]}]',
    async handle(asked): Promise<Reply> {
      const { orgId, issue } = await issueOf(asked);
      const since = asked.mesher.now() - 30 * 86_400_000;
      return { json: await asked.mesher.storage.issueTags(orgId, issue.id, since, 10) };
    },
  },
  changeRoute({
    path: "/api/v1/issues/:issue_id/resolve",
    name: "resolveIssue",
    about: "Resolves an issue. Its next event reopens it; with `in_next_release` only one of a " +
      "release after the project's latest.",
    body: { in_next_release: { type: "boolean" } },
    errors: [400],
  }, async (asked) => {
    if (asked.body["in_next_release"] !== true) return await setStatus(asked, "resolved");
    const { orgId, issue } = await issueOf(asked);
    const by = personIn(asked).user.id;
    const done = await asked.mesher.storage.resolveInNextRelease(orgId, issue.id, by);
    if (!done.ok) {
      throw done.reason === "no_issue"
        ? new HttpError(404, "issue not found")
        : new HttpError(400, "the project has no release yet");
    }
    if (done.value.changed) await announceChange(asked, done.value.issue, "resolved");
    return done.value.changed;
  }),
  statusRoute("archive", "archived"),
  statusRoute("unresolve", "unresolved"),
  statusRoute("discard", "discarded"),
  changeRoute({
    path: "/api/v1/issues/:issue_id/delete",
    name: "deleteIssue",
    about: "Deletes an issue and its events.",
  }, async (asked) => {
    const { orgId, issue } = await issueOf(asked);
    const deleted = await asked.mesher.storage.deleteIssue(orgId, issue.id);
    await announceChange(asked, issue, "deleted");
    return deleted;
  }),
  {
    method: "POST",
    path: "/api/v1/issues/:issue_id/assign",
    name: "assignIssue",
    about: "Assigns an issue to a member; an empty text or null removes the assignment.",
    access: "user",
    body: { user_id: { type: "string", nullable: true } },
    ok: 200,
    errors: [400, 401, 404],
    returns: '{"status":"ok"}',
    async handle(asked): Promise<Reply> {
      const { orgId, issue } = await issueOf(asked);
      if (asked.body["user_id"] === undefined) throw new HttpError(400, "user_id is required");
      const userId = asked.body["user_id"] === "" ? null : asked.body["user_id"] as string | null;
      const by = personIn(asked).user.id;
      const done = await asked.mesher.storage.assignIssue(orgId, issue.id, userId, by);
      if (!done.ok) {
        throw new HttpError(
          404,
          done.reason === "no_issue" ? "issue not found" : "member not found",
        );
      }
      asked.mesher.live.tell(issue.projectId, {
        type: "issue",
        action: "assigned",
        issue_id: issue.id,
      });
      return { json: { status: "ok" } };
    },
  },
];

function statusRoute(verb: string, status: IssueStatus): Route {
  return changeRoute({
    path: `/api/v1/issues/:issue_id/${verb}`,
    name: `${verb}Issue`,
    about: `Sets the state of an issue to ${status}.`,
  }, (asked) => setStatus(asked, status));
}

async function setStatus(asked: RouteInput, status: IssueStatus): Promise<boolean> {
  const id = asked.params["issue_id"]!;
  const { storage } = asked.mesher;
  const by = personIn(asked).user.id;
  const done = await inScope(
    asked,
    ISSUE,
    (orgId) => storage.setIssueStatus(orgId, id, status, by),
  );
  if (done.changed) await announceChange(asked, done.issue, status);
  return done.changed;
}

/** Notifies the watchers of a project that a user has changed an issue. */
export async function announceChange(
  { mesher }: RouteInput,
  issue: Issue,
  action: string,
): Promise<void> {
  mesher.live.tell(issue.projectId, { type: "issue", action, issue_id: issue.id });
  await announceCount(mesher, issue.projectId);
}

/** Returns the issue in the path. */
export async function issueOf(asked: RouteInput): Promise<{ orgId: string; issue: Issue }> {
  const id = asked.params["issue_id"]!;
  return await inScope(asked, ISSUE, async (orgId) => {
    const issue = await asked.mesher.storage.issue(orgId, id);
    return issue === null ? null : { orgId, issue };
  });
}
