/**
 * From the API's JSON to what the page works with (`model.js`). What is missing or of another type
 * becomes empty, so that no view breaks on a server that is older or newer than the page.
 *
 * @module
 */

/** @import * as model from "./model.js" */
/** @typedef {Record<string, unknown>} Raw */

const LEVELS = ["debug", "info", "warning", "error", "fatal"];

/** @param {unknown} value @returns {Raw} */
export function objectOf(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? /** @type {Raw} */ (value)
    : {};
}

/** @param {unknown} value @returns {Raw[]} */
export function listOf(value) {
  const list = Array.isArray(value) ? value : objectOf(value).data;
  return Array.isArray(list) ? list.map(objectOf) : [];
}

/** @param {unknown} value @returns {string} */
function text(value) {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

/** @param {unknown} value @returns {string | null} */
function textOrNull(value) {
  return text(value) || null;
}

/** @param {unknown} value @returns {number | null} */
function numberOrNull(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** @param {unknown} value @returns {number} */
function number(value) {
  return numberOrNull(value) ?? 0;
}

/** @param {unknown} value @returns {boolean | null} */
function truth(value) {
  return typeof value === "boolean" ? value : null;
}

/** @param {unknown} value @returns {string[]} */
function texts(value) {
  return Array.isArray(value) ? value.map(text) : [];
}

/** @param {unknown} value @returns {number | null} */
export function timeOf(value) {
  const at = typeof value === "string" ? Date.parse(value) : value;
  return typeof at === "number" && Number.isFinite(at) ? at : null;
}

/** @param {unknown} value @returns {model.Level} */
function levelOf(value) {
  return /** @type {model.Level} */ (LEVELS.includes(text(value)) ? value : "error");
}

/** @param {unknown} value @returns {[string, string][]} */
function pairs(value) {
  return Object.entries(objectOf(value)).map(([key, one]) => [key, text(one)]);
}

/** @param {unknown} value @returns {model.User} */
export function userFrom(value) {
  const raw = objectOf(value);
  const email = text(raw.email);
  return { id: text(raw.id), email, name: text(raw.display_name) || email };
}

/** @param {unknown} value @returns {model.Organisation} */
export function organisationFrom(value) {
  const raw = objectOf(value);
  return {
    id: text(raw.id),
    name: text(raw.name),
    slug: text(raw.slug),
    role: /** @type {model.Role} */ (text(raw.role) || "member"),
  };
}

/** @param {unknown} value @returns {model.Project} */
export function projectFrom(value) {
  const raw = objectOf(value);
  return {
    id: text(raw.id),
    orgId: text(raw.org_id),
    name: text(raw.name),
    slug: text(raw.slug),
    platform: textOrNull(raw.platform),
    retentionDays: number(raw.retention_days),
    sampleRate: numberOrNull(raw.sample_rate) ?? 1,
  };
}

/** @param {unknown} value @returns {model.Issue} */
export function issueFrom(value) {
  const raw = objectOf(value);
  return {
    id: text(raw.id),
    projectId: text(raw.project_id),
    title: text(raw.title) || "Untitled",
    culprit: text(raw.culprit),
    level: levelOf(raw.level),
    status: /** @type {model.IssueStatus} */ (text(raw.status) || "unresolved"),
    count: number(raw.event_count),
    recent: numberOrNull(raw.recent_count ?? raw.recent),
    firstSeen: timeOf(raw.first_seen),
    lastSeen: timeOf(raw.last_seen),
    assignedTo: textOrNull(raw.assigned_to),
  };
}

/** @param {unknown} value @returns {model.EventSummary} */
export function summaryFrom(value) {
  const raw = objectOf(value);
  return {
    id: text(raw.id),
    issueId: text(raw.issue_id),
    level: levelOf(raw.level),
    title: text(raw.title) || text(raw.message) || "Untitled",
    message: text(raw.message),
    environment: textOrNull(raw.environment),
    release: textOrNull(raw.release),
    tags: pairs(raw.tags),
    at: timeOf(raw.received_at ?? raw.timestamp),
  };
}

/** @param {Raw} raw @returns {model.Frame} */
function frameFrom(raw) {
  return {
    file: textOrNull(raw.file ?? raw.filename),
    function: textOrNull(raw.function),
    module: textOrNull(raw.module),
    line: numberOrNull(raw.line ?? raw.lineno),
    column: numberOrNull(raw.column ?? raw.colno),
    inApp: truth(raw.in_app ?? raw.inApp),
    context: textOrNull(raw.context ?? raw.context_line),
    before: texts(raw.context_before ?? raw.contextBefore ?? raw.pre_context),
    after: texts(raw.context_after ?? raw.contextAfter ?? raw.post_context),
  };
}

/** @param {Raw} raw @returns {model.Exception} */
function exceptionFrom(raw) {
  return {
    type: text(raw.type),
    value: text(raw.value),
    handled: truth(raw.handled),
    frames: listOf(raw.frames ?? raw.stacktrace).map(frameFrom),
  };
}

/** @param {Raw} raw @returns {model.Breadcrumb} */
function breadcrumbFrom(raw) {
  return {
    at: timeOf(raw.timestamp),
    type: textOrNull(raw.type),
    category: textOrNull(raw.category),
    level: levelOf(raw.level ?? "info"),
    message: textOrNull(raw.message),
    data: objectOf(raw.data),
  };
}

/** @param {unknown} value @returns {model.EventDetail} */
export function detailFrom(value) {
  const raw = objectOf(objectOf(value).event);
  const navigation = objectOf(objectOf(value).navigation);
  const exceptions = raw.exceptions ?? raw.exception;
  const sdk = objectOf(raw.sdk);
  const sdkName = text(raw.sdk_name) || text(sdk.name);
  /** @type {[string, string][]} */
  const facts = [
    ["Environment", text(raw.environment)],
    ["Release", text(raw.release)],
    ["Transaction", text(raw.transaction)],
    ["Server", text(raw.server_name)],
    ["Platform", text(raw.platform)],
    ["Logger", text(raw.logger)],
    ["SDK", sdkName && `${sdkName} ${text(raw.sdk_version) || text(sdk.version)}`],
  ];
  return {
    id: text(raw.id),
    issueId: text(raw.issue_id),
    projectId: text(raw.project_id),
    level: levelOf(raw.level),
    title: text(raw.title) || text(raw.message) || "Untitled",
    message: text(raw.message),
    at: timeOf(raw.timestamp ?? raw.received_at),
    receivedAt: timeOf(raw.received_at),
    exceptions: listOf(exceptions).map(exceptionFrom),
    breadcrumbs: listOf(raw.breadcrumbs).map(breadcrumbFrom),
    tags: pairs(raw.tags),
    facts: facts.filter(([, fact]) => fact !== ""),
    user: pairs(raw.user ?? raw.user_context).filter(([, part]) => part !== ""),
    contexts: objectOf(raw.contexts),
    extra: objectOf(raw.extra),
    request: raw.request ? objectOf(raw.request) : null,
    raw,
    nextId: textOrNull(navigation.next_id),
    previousId: textOrNull(navigation.prev_id),
  };
}

/** @param {string} name @returns {(value: unknown) => model.ValueCount} */
export function countFrom(name) {
  return (value) => {
    const raw = objectOf(value);
    return { value: text(raw[name] ?? raw.value), count: number(raw.count) };
  };
}

/** @param {unknown} value @returns {model.Bucket} */
export function bucketFrom(value) {
  const raw = objectOf(value);
  return { at: timeOf(raw.bucket) ?? 0, count: number(raw.count) };
}

/** @param {unknown} value @returns {model.Health} */
export function healthFrom(value) {
  const raw = objectOf(value);
  return {
    unresolved: number(raw.unresolved_count),
    events: number(raw.events_24h),
    fresh: number(raw.new_today),
  };
}

/** @param {unknown} value @returns {model.Usage} */
export function usageFrom(value) {
  const raw = objectOf(value);
  return {
    events: number(raw.event_count),
    bytes: number(raw.estimated_bytes),
    oldestAt: timeOf(raw.oldest_at),
  };
}

/** @param {unknown} value @returns {model.AlertRule} */
export function ruleFrom(value) {
  const raw = objectOf(value);
  const condition = objectOf(raw.condition ?? raw.condition_json);
  const action = objectOf(raw.action ?? raw.action_json);
  return {
    id: text(raw.id),
    name: text(raw.name),
    kind: text(condition.condition_type),
    threshold: numberOrNull(condition.threshold),
    windowMinutes: numberOrNull(condition.window_minutes),
    webhook: textOrNull(action.url),
    enabled: raw.enabled === true,
    cooldownMinutes: number(raw.cooldown_minutes),
    lastFiredAt: timeOf(raw.last_fired_at),
  };
}

/** @param {unknown} value @returns {model.Alert} */
export function alertFrom(value) {
  const raw = objectOf(value);
  return {
    id: text(raw.id),
    ruleId: text(raw.rule_id),
    ruleName: text(raw.rule_name) || "Rule",
    issueId: textOrNull(raw.issue_id),
    status: text(raw.status),
    message: text(raw.message),
    at: timeOf(raw.triggered_at),
  };
}

/** @param {unknown} value @returns {model.ApiKey} */
export function keyFrom(value) {
  const raw = objectOf(value);
  return {
    id: text(raw.id),
    label: text(raw.label),
    prefix: text(raw.prefix),
    createdAt: timeOf(raw.created_at),
    revokedAt: timeOf(raw.revoked_at),
  };
}

/** @param {unknown} value @returns {model.Member} */
export function memberFrom(value) {
  const raw = objectOf(value);
  const email = text(raw.email);
  return {
    id: text(raw.id),
    userId: text(raw.user_id),
    email,
    name: text(raw.display_name) || email,
    role: /** @type {model.Role} */ (text(raw.role) || "member"),
    joinedAt: timeOf(raw.joined_at),
  };
}

/**
 * A page of rows. `next` is what the following request adds to its query.
 *
 * @template T
 * @param {unknown} value
 * @param {(row: unknown) => T} from
 * @returns {model.Page<T>}
 */
export function pageFrom(value, from) {
  const raw = objectOf(value);
  const cursor = textOrNull(raw.next_cursor);
  const id = textOrNull(raw.next_cursor_id);
  return {
    rows: listOf(value).map(from),
    next: raw.has_more === true && cursor !== null
      ? { cursor, ...(id === null ? {} : { cursor_id: id }) }
      : null,
  };
}

/** @param {unknown} value @returns {model.Tag} */
export function tagFrom(value) {
  const raw = objectOf(value);
  return { key: text(raw.key), values: listOf(raw.values).map(countFrom("value")) };
}

/** @param {unknown} value @returns {model.TreeNode} */
function treeFrom(value) {
  const raw = objectOf(value);
  return {
    name: text(raw.id),
    pid: textOrNull(raw.pid),
    state: text(raw.state),
    isSupervisor: raw.type === "supervisor",
    children: listOf(raw.children).map(treeFrom),
  };
}

/** @param {unknown} value @returns {model.ClusterNode} */
function nodeFrom(value) {
  const raw = objectOf(value);
  return {
    name: text(raw.name),
    isHere: raw.self === true,
    load: number(raw.load),
    unstored: number(raw.unstored),
    accepted: number(raw.accepted),
    stored: number(raw.stored),
    clients: number(raw.stream_clients),
    url: textOrNull(raw.http_url),
    uptimeMs: numberOrNull(raw.uptime_ms),
    counters: Object.entries(objectOf(raw.counters)).map(([key, n]) => [key, number(n)]),
  };
}

/** @param {unknown} value @returns {model.Cluster} */
export function clusterFrom(value) {
  const raw = objectOf(value);
  const storage = objectOf(raw.storage);
  return {
    here: text(raw.node),
    isAlone: raw.standalone === true,
    nodes: listOf(raw.nodes).map(nodeFrom),
    helps: listOf(raw.processors).map((help) => ({
      by: text(help.on ?? help.node),
      on: text(help.for),
      pid: textOrNull(help.pid),
    })),
    names: listOf(raw.names).map((name) => ({
      name: text(name.name),
      node: textOrNull(name.node),
      pid: textOrNull(name.pid),
    })),
    trees: listOf(raw.trees).map((tree) => ({
      node: text(tree.node),
      root: tree.root ? treeFrom(tree.root) : null,
    })),
    storage: {
      ok: storage.ok === true,
      engine: text(storage.engine),
      latencyMs: numberOrNull(storage.latencyMs ?? storage.latency_ms),
      problem: textOrNull(storage.problem),
    },
  };
}
