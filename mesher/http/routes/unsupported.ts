/**
 * Routes for data of Sentry's clients that is not stored, besides items of envelopes: each request
 * is counted by type, where operators see it, and the response says that it is not stored.
 *
 * @module
 */
import { HttpError } from "../http_error.ts";
import type { Asked, Reply, Route } from "../route.ts";

interface Kind {
  /** The path after the project. */
  readonly path: string;
  readonly name: string;
  /** The type under which it is counted. */
  readonly type: string;
  /** Named in the response, with status 501. Without it, the request is answered with 200. */
  readonly words?: string;
}

const TRACES = { type: "otlp_traces", words: "traces of OpenTelemetry" };
const LOGS = { type: "otlp_logs", words: "logs of OpenTelemetry" };
const KINDS: readonly Kind[] = [
  { path: "minidump", name: "ignoreMinidump", type: "minidump", words: "minidumps" },
  {
    path: "unreal/:key",
    name: "ignoreUnrealReport",
    type: "unreal_report",
    words: "crash reports of the Unreal Engine",
  },
  { path: "otlp/v1/traces", name: "ignoreTraces", ...TRACES },
  { path: "otlp/v1/logs", name: "ignoreLogs", ...LOGS },
  { path: "integration/otlp/v1/traces", name: "ignoreIntegrationTraces", ...TRACES },
  { path: "integration/otlp/v1/logs", name: "ignoreIntegrationLogs", ...LOGS },
  { path: "nel", name: "ignoreNetworkErrors", type: "nel" },
  { path: "cron/:monitor", name: "ignoreCheckIn", type: "check_in" },
  { path: "cron/:monitor/:key", name: "ignoreCheckInWithKey", type: "check_in" },
];

/** The routes. */
export const unsupportedRoutes: readonly Route[] = KINDS.flatMap((kind) => {
  const route = routeOf(kind);
  return kind.type === "check_in"
    ? [route, { ...route, method: "GET" as const, name: `${kind.name}ByGet` }]
    : [route];
});

function routeOf({ path, name, type, words }: Kind): Route {
  return {
    method: "POST",
    path: `/api/:project/${path}`,
    name,
    about: words === undefined
      ? `Not stored, but counted as \`${type}\`.`
      : `Not supported: ${words}. Counted as \`${type}\`.`,
    access: "key",
    ...(path.endsWith(":key") ? { lateKey: true } : {}),
    ok: words === undefined ? 200 : 501,
    errors: [401, 503],
    gives: words === undefined ? "{}" : '{"error"}',
    handle: (asked) => ignored(asked, type, words),
  };
}

async function ignored(asked: Asked, type: string, words: string | undefined): Promise<Reply> {
  const { requester, params, mesher } = asked;
  // Some clients have the key in the path.
  if (requester.kind === "anonymous" && await mesher.keys.project(params["key"] ?? "") === null) {
    throw new HttpError(401, "unauthorized");
  }
  mesher.counters.addLabelled("ignored_items", type);
  if (words === undefined) return { json: {} };
  return { status: 501, json: { error: `Mesher does not store ${words}; it stores events` } };
}
