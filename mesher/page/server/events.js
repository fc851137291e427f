/**
 * Requests about events: searches and details.
 *
 * @module
 */
import { get, part } from "./request.js";
import {
  list,
  maybeFlag,
  maybeNumber,
  maybeText,
  object,
  objectOf,
  oneOf,
  pageFrom,
  pairs,
  shape,
  text,
  texts,
  time,
} from "./values.js";

/** @import * as model from "../model.js" */
/** @import { Query, Signal } from "./request.js" */
/** @import { Raw } from "./values.js" */

/** The known levels. Any other value is treated as "error". */
export const LEVELS = /** @type {const} */ (["error", "fatal", "warning", "info", "debug"]);
const CRUMB_LEVELS = /** @type {const} */ (["info", "debug", "warning", "error", "fatal"]);

const TITLE = (/** @type {Raw} */ raw) => text("title", "message")(raw) || "Untitled";

/** Converts JSON to an event of a list. @type {(value: unknown) => model.EventSummary} */
export const summaryFrom = shape({
  id: text("id"),
  issueId: text("issue_id"),
  level: oneOf("level", LEVELS),
  title: TITLE,
  message: text("message"),
  environment: maybeText("environment"),
  release: maybeText("release"),
  tags: pairs("tags"),
  at: time("received_at", "timestamp"),
});

/** Converts JSON to a frame of a stack. @type {(value: unknown) => model.Frame} */
const frameFrom = shape({
  file: maybeText("file", "filename"),
  // SDKs send "?" for a function without a name.
  function: (raw) => raw.function === "?" ? null : maybeText("function")(raw),
  module: maybeText("module"),
  line: maybeNumber("line", "lineno"),
  column: maybeNumber("column", "colno"),
  inApp: maybeFlag("in_app", "inApp"),
  package: maybeText("package"),
  vars: object("vars"),
  minified: (raw) => {
    if (!raw.minified) return null;
    const { file, line, column } = objectOf(raw.minified);
    return [file, line, column].filter((part) => part !== null && part !== undefined).join(":");
  },
  context: maybeText("context", "context_line"),
  before: texts("context_before", "contextBefore", "pre_context"),
  after: texts("context_after", "contextAfter", "post_context"),
});

/** Converts JSON to an exception. @type {(value: unknown) => model.Exception} */
const exceptionFrom = shape({
  type: text("type"),
  value: text("value"),
  handled: maybeFlag("handled"),
  frames: list("frames", frameFrom),
});

/** Converts JSON to a breadcrumb. @type {(value: unknown) => model.Breadcrumb} */
const breadcrumbFrom = shape({
  at: time("timestamp"),
  type: maybeText("type"),
  category: maybeText("category"),
  level: oneOf("level", CRUMB_LEVELS),
  message: maybeText("message"),
  data: object("data"),
});

/**
 * Returns the known facts about an event, such as its environment and release. @param {Raw} raw
 * @returns {[string, string][]}
 */
function factsFrom(raw) {
  /** The names and values of the facts. @type {[string, string][]} */
  const facts = [
    ["Environment", text("environment")(raw)],
    ["Release", text("release")(raw)],
    ["Build", text("dist")(raw)],
    ["Transaction", text("transaction")(raw)],
    ["Server", text("server_name")(raw)],
    ["Platform", text("platform")(raw)],
    ["Logger", text("logger")(raw)],
    ["SDK", `${text("sdk_name")(raw)} ${text("sdk_version")(raw)}`.trim()],
  ];
  return facts.filter(([, fact]) => fact !== "");
}

const eventFrom = shape({
  id: text("id"),
  issueId: text("issue_id"),
  projectId: text("project_id"),
  level: oneOf("level", LEVELS),
  title: TITLE,
  message: text("message"),
  at: time("timestamp", "received_at"),
  receivedAt: time("received_at"),
  exceptions: list("exception", exceptionFrom),
  breadcrumbs: list("breadcrumbs", breadcrumbFrom),
  tags: pairs("tags"),
  facts: factsFrom,
  user: (raw) => pairs("user_context")(raw).filter(([, part]) => part !== ""),
  template: maybeText("message_template"),
  params: (raw) => {
    const params = raw.message_params;
    if (typeof params !== "object" || params === null) return {};
    return /** @type {Record<string, unknown>} */ ({ ...params });
  },
  modules: pairs("modules"),
  contexts: object("contexts"),
  extra: object("extra"),
  request: (raw) => raw.request ? objectOf(raw.request) : null,
  raw: (raw) => raw,
});

const neighboursFrom = shape({ nextId: maybeText("next_id"), previousId: maybeText("prev_id") });

/**
 * Returns an event with all details.
 *
 * @param {string} eventId
 * @param {Signal} [signal]
 * @returns {Promise<model.EventDetail>}
 */
export async function event(eventId, signal) {
  const raw = objectOf(await get(`/events/${part(eventId)}`, {}, signal));
  return { ...eventFrom(raw.event), ...neighboursFrom(raw.navigation) };
}

/**
 * Returns events that contain all words of `q` and have a level; newest first, in pages.
 *
 * @param {string} projectId
 * @param {Query} query
 * @param {Signal} [signal]
 */
export async function events(projectId, query, signal) {
  return pageFrom(await get(`/projects/${part(projectId)}/events`, query, signal), summaryFrom);
}

/**
 * Returns the latest events of the last 24 hours that have a tag.
 *
 * @param {string} projectId
 * @param {{ key: string, value: string }} tag
 * @param {Signal} [signal]
 */
export async function eventsByTag(projectId, tag, signal) {
  const query = { ...tag, limit: "100" };
  return pageFrom(
    await get(`/projects/${part(projectId)}/events/tags`, query, signal),
    summaryFrom,
  );
}
