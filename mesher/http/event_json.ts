/**
 * Converts events to the JSON of the API. Fields have the names of the original Mesher, and times
 * are in ISO 8601.
 *
 * @module
 */
import type { JsonObject } from "../domain/event.ts";
import { userAgentContexts, userAgentOf } from "../domain/user_agent.ts";
import { iso, isoOrNull } from "../pipeline/time.ts";
import type { EventDetail, EventSummary } from "../storage/events.ts";
import type { Shape } from "./shapes.ts";

/** Returns an event as it appears in a list. */
export function eventShape(event: EventSummary): Shape {
  return {
    id: event.id,
    project_id: event.projectId,
    issue_id: event.issueId,
    level: event.level,
    title: event.title,
    message: event.message,
    environment: event.environment,
    release: event.release,
    tags: event.tags,
    timestamp: iso(event.timestamp),
    received_at: iso(event.receivedAt),
  };
}

/**
 * Returns the event's contexts. Adds the browser and the operating system that the User-Agent of
 * the event's request names, unless the client sent them.
 */
async function contextsOf(event: EventDetail["event"]): Promise<JsonObject> {
  const agent = userAgentOf(event.request);
  if (agent === null) return event.contexts;
  return { ...await userAgentContexts(agent), ...event.contexts };
}

/** Returns an event with all details. */
export async function eventDetailShape(detail: EventDetail): Promise<Shape> {
  const { event } = detail;
  return {
    event: {
      id: event.id,
      project_id: detail.projectId,
      issue_id: detail.issueId,
      level: event.level,
      title: detail.title,
      message: event.message,
      message_template: event.template ?? null,
      message_params: event.params ?? null,
      fingerprint: detail.fingerprint,
      exception: event.exceptions,
      stacktrace: event.exceptions.at(-1)?.frames ?? [],
      breadcrumbs: event.breadcrumbs.map((crumb) => ({
        ...crumb,
        timestamp: isoOrNull(crumb.timestamp),
      })),
      tags: event.tags,
      extra: event.extra,
      contexts: await contextsOf(event),
      request: event.request,
      user_context: event.user,
      environment: event.environment,
      release: event.release,
      dist: event.dist ?? null,
      modules: event.modules ?? {},
      platform: event.platform,
      server_name: event.serverName,
      transaction: event.transaction,
      logger: event.logger,
      sdk_name: event.sdk?.name ?? null,
      sdk_version: event.sdk?.version ?? null,
      timestamp: iso(event.timestamp),
      received_at: iso(detail.receivedAt),
    },
    navigation: { next_id: detail.nextId, prev_id: detail.previousId },
  };
}
