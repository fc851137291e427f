/**
 * Routes of events: lists, search, and one event with all details.
 *
 * @module
 */
import { LEVELS } from "../../domain/event.ts";
import type { EventFilter, EventSummary } from "../../storage/events.ts";
import type { Page, PageRequest } from "../../storage/page.ts";
import { readSearch } from "../input.ts";
import { HttpError } from "../http_error.ts";
import type { ProjectPlace, Reply, Route, RouteInput } from "../route.ts";
import { inScope, limitOf, pageOf, projectPlaceOf } from "../scope.ts";
import { eventDetailShape, eventShape } from "../event_json.ts";
import { pageShape } from "../shapes.ts";
import { PAGE } from "./issues.ts";

const DAY_MS = 86_400_000;
const LIMIT = { type: "any", about: "1 to 100; anything else is 25" } as const;

/** The routes of events. */
export const eventRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/events",
    name: "listEvents",
    about: "The events of a project, newest first.",
    access: "user",
    query: {
      q: { type: "string", about: "words, and level: release: environment: user: tag:value" },
      level: { type: "string", enum: LEVELS },
      environment: { type: "string" },
      release: { type: "string" },
      ...PAGE,
    },
    ok: 200,
    errors: [400, 401, 404],
    returns: '{"data":[event],"has_more","next_cursor","next_cursor_id"}',
    async handle(asked): Promise<Reply> {
      const { query } = asked;
      const place = await projectPlaceOf(asked);
      const text = query["q"] as string | undefined;
      const search = readSearch(text);
      if (search.not !== undefined) throw new HttpError(400, "! is for searches of issues");
      const isWords = text !== undefined &&
        (search.words !== "" || Object.keys(search).length === 1);
      const filter: EventFilter = {
        query: isWords ? search.words : undefined,
        level: query["level"] as EventFilter["level"] ?? search.level,
        environment: query["environment"] as string | undefined ?? search.environment,
        release: query["release"] as string | undefined ?? search.release,
        user: search.user,
        tags: search.tags,
      };
      return {
        json: pageShape(await eventsOf(asked, place, filter, pageOf(asked, 25)), eventShape),
      };
    },
  },
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/events/search",
    name: "searchEvents",
    about: "The events of the last 24 hours that have all words of `q`.",
    access: "user",
    query: { q: { type: "string" }, limit: LIMIT },
    ok: 200,
    errors: [400, 401, 404],
    returns: "[event]",
    async handle(asked): Promise<Reply> {
      const query = asked.query["q"] as string | undefined;
      if (query === undefined || query.trim() === "") {
        throw new HttpError(400, "missing search query");
      }
      return { json: await lastDay(asked, { query }) };
    },
  },
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/events/tags",
    name: "findEventsByTag",
    about: "The events of the last 24 hours that have a tag.",
    access: "user",
    query: { key: { type: "string" }, value: { type: "string" }, limit: LIMIT },
    ok: 200,
    errors: [400, 401, 404],
    returns: "[event]",
    async handle(asked): Promise<Reply> {
      const { key, value } = asked.query as { key?: string; value?: string };
      if (key === undefined || value === undefined) {
        throw new HttpError(400, "missing key or value parameter");
      }
      // `fromEntries` is used because assignments to `__proto__` would not create a property.
      return { json: await lastDay(asked, { tags: Object.fromEntries([[key, value]]) }) };
    },
  },
  {
    method: "GET",
    path: "/api/v1/events/:event_id",
    name: "getEvent",
    about: "Returns an event, with the ids of the previous and the next event of its issue.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: '{"event":{…},"navigation":{"next_id","prev_id"}}',
    async handle(asked): Promise<Reply> {
      const id = asked.params["event_id"]!;
      const { storage } = asked.mesher;
      const detail = await inScope(asked, "event", (orgId) => storage.event(orgId, id));
      const { maps } = asked.mesher;
      const exceptions = await maps.exceptionsOf(detail.projectId, detail.event);
      return {
        json: await eventDetailShape({ ...detail, event: { ...detail.event, exceptions } }),
      };
    },
  },
];

async function lastDay(asked: RouteInput, filter: EventFilter): Promise<unknown> {
  const place = await projectPlaceOf(asked);
  const since = asked.mesher.now() - DAY_MS;
  const limit = limitOf(asked.query["limit"], 25);
  return (await eventsOf(asked, place, { ...filter, since }, { limit })).rows.map(eventShape);
}

function eventsOf(
  { mesher }: RouteInput,
  { project, membership }: ProjectPlace,
  filter: EventFilter,
  page: PageRequest,
): Promise<Page<EventSummary>> {
  return mesher.storage.events(membership.organisation.id, project.id, filter, page);
}
