/**
 * What Sentry's clients may send besides events, to routes of its own: the sender learns that it is not stored, and
 * operators see it counted by type, like ignored items of envelopes.
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
  /** For the sender, who is told so by status 501; without these words, it is accepted. */
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
