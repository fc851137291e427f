/**
 * Defines the routes for data of Sentry's clients that Mesher does not store. Such data in
 * envelopes is handled by `ingest.ts`. Each request is counted by type, in counters that operators
 * see, and the response states that the data is not stored.
 *
 * @module
 */
import type { Reply, Route, RouteInput } from "../route.ts";
import { mustBeProject, projectOf } from "./ingest.ts";

interface Kind {
  /** The part of the path that follows the project. */
  readonly path: string;
  readonly name: string;
  /** The type under which a request is counted. */
  readonly type: string;
  /** The method of the route. Default: POST. */
  readonly method?: "GET" | "POST";
  /**
   * The name of the data in the response, which then has status 501. If absent, the response has
   * status 200.
   */
  readonly words?: string;
}

const TRACES = { type: "otlp_traces", words: "traces of OpenTelemetry" };
const LOGS = { type: "otlp_logs", words: "logs of OpenTelemetry" };
const KINDS: readonly Kind[] = [
  { path: "minidump", name: "ignoreMinidump", type: "minidump", words: "minidumps" },
  { path: "otlp/v1/traces", name: "ignoreTraces", ...TRACES },
  { path: "otlp/v1/logs", name: "ignoreLogs", ...LOGS },
  { path: "integration/otlp/v1/traces", name: "ignoreIntegrationTraces", ...TRACES },
  { path: "integration/otlp/v1/logs", name: "ignoreIntegrationLogs", ...LOGS },
  { path: "nel", name: "ignoreNetworkErrors", type: "nel" },
  { path: "events/:event_id/attachments", name: "ignoreAttachment", type: "attachment" },
  // Check-ins by URL, with the key in the path.
  { path: "cron/:monitor/:key", name: "ignoreCheckIn", type: "check_in" },
  { path: "cron/:monitor/:key", name: "ignoreCheckInByGet", type: "check_in", method: "GET" },
];

/** The routes for data that is not stored. */
export const unsupportedRoutes: readonly Route[] = KINDS.map(routeOf);

function routeOf({ path, name, type, words, method = "POST" }: Kind): Route {
  return {
    method,
    path: `/api/:project/${path}`,
    name,
    about: words === undefined
      ? `Not stored, but counted as \`${type}\`.`
      : `Not supported: ${words}. Counted as \`${type}\`.`,
    access: "key",
    ok: words === undefined ? 200 : 501,
    errors: [401, 404],
    returns: words === undefined ? "{}" : '{"error"}',
    handle: (asked) => ignored(asked, type, words),
  };
}

function ignored(asked: RouteInput, type: string, words: string | undefined): Reply {
  mustBeProject(asked, projectOf(asked));
  asked.mesher.counters.addLabelled("ignored_items", type);
  if (words === undefined) return { json: {} };
  return { status: 501, json: { error: `Mesher does not store ${words}; it stores events` } };
}
