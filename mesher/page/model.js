/**
 * The types of the page's data. The files of `server/` create these objects from the API's JSON.
 *
 * @module
 */

/** @typedef {"debug" | "info" | "warning" | "error" | "fatal"} Level */
/** @typedef {"unresolved" | "resolved" | "archived" | "discarded"} IssueStatus */
/** @typedef {"owner" | "admin" | "member"} Role */

/** @typedef {{ id: string, email: string, name: string, isOperator: boolean }} User */
/**
 * The address of the page on another node.
 *
 * @typedef {{ name: string, url: string | null }} OtherNode
 */
/** @typedef {{ id: string, name: string, slug: string, role: Role }} Organisation */
/** @typedef {{ id: string, email: string, role: Role, expiresAt: number | null }} Invitation */
/** @typedef {{ enabled: boolean, fields: string[], safe: string[] }} ScrubRules */
/**
 * @typedef {{
 *   id: string, orgId: string, name: string, slug: string, platform: string | null,
 *   retentionDays: number, sampleRate: number, scrub: ScrubRules,
 * }} Project
 */
/**
 * @typedef {{
 *   id: string, projectId: string, title: string, culprit: string, level: Level,
 *   status: IssueStatus, count: number, recent: number | null,
 *   firstSeen: number | null, lastSeen: number | null, assignedTo: string | null,
 *   users: number, firstRelease: string | null, lastRelease: string | null,
 *   resolvedAfter: string | null,
 * }} Issue
 */
/**
 * @typedef {{
 *   id: string, version: string, createdAt: number | null, newIssues: number,
 *   lastSeen: number | null,
 * }} Release
 */
/**
 * @typedef {{ fingerprint: string, title: string, culprit: string, mergedAt: number | null }} Fingerprint
 */
/**
 * @typedef {{
 *   id: string, kind: string, userId: string | null, data: Record<string, unknown>,
 *   at: number | null,
 * }} Activity
 */
/**
 * @typedef {{
 *   id: string, issueId: string, level: Level, title: string, message: string,
 *   environment: string | null, release: string | null, tags: [string, string][],
 *   at: number | null,
 * }} EventSummary
 */
/**
 * @typedef {{
 *   file: string | null, function: string | null, module: string | null, line: number | null,
 *   column: number | null, inApp: boolean | null, context: string | null, before: string[],
 *   after: string[],
 *   package: string | null, vars: Record<string, unknown>, minified: string | null,
 * }} Frame
 */
/**
 * @typedef {{
 *   type: string, value: string, handled: boolean | null, frames: Frame[],
 * }} Exception
 */
/**
 * @typedef {{
 *   at: number | null, type: string | null, category: string | null, level: Level,
 *   message: string | null, data: Record<string, unknown>,
 * }} Breadcrumb
 */
/**
 * @typedef {{
 *   id: string, issueId: string, projectId: string, level: Level, title: string, message: string,
 *   at: number | null, receivedAt: number | null, exceptions: Exception[],
 *   breadcrumbs: Breadcrumb[], tags: [string, string][], facts: [string, string][],
 *   user: [string, string][], contexts: Record<string, unknown>, extra: Record<string, unknown>,
 *   request: Record<string, unknown> | null, raw: unknown, nextId: string | null,
 *   previousId: string | null,
 *   template: string | null, params: Record<string, unknown>, modules: [string, string][],
 * }} EventDetail
 */
/** @typedef {{ value: string, count: number }} ValueCount */
/** @typedef {{ at: number, count: number }} Bucket */
/** @typedef {{ unresolved: number, events: number, fresh: number }} Health */
/** @typedef {{ events: number, bytes: number, oldestAt: number | null }} Usage */
/**
 * @typedef {{
 *   id: string, name: string, kind: string, threshold: number | null,
 *   windowMinutes: number | null, channel: string, webhook: string | null, to: string[],
 *   enabled: boolean,
 *   cooldownMinutes: number, lastFiredAt: number | null,
 * }} AlertRule
 */
/**
 * @typedef {{
 *   id: string, ruleId: string, ruleName: string, issueId: string | null, status: string,
 *   message: string, suppressed: number, at: number | null,
 * }} Alert
 */
/**
 * @typedef {{
 *   id: string, label: string, secret: string | null, prefix: string, createdAt: number | null,
 *   revokedAt: number | null,
 * }} ApiKey
 */
/**
 * @typedef {{
 *   id: string, kind: "session" | "token", scopes: string[] | null, label: string, isThis: boolean,
 *   createdAt: number | null, expiresAt: number | null,
 * }} Session
 */
/**
 * @typedef {{
 *   id: string, userId: string, email: string, name: string, role: Role, joinedAt: number | null,
 * }} Member
 */
/**
 * @template T
 * @typedef {{ rows: T[], next: Record<string, string> | null }} Page
 */

/** @typedef {{ key: string, values: ValueCount[] }} Tag */

/**
 * @typedef {{
 *   name: string, isHere: boolean, load: number, unstored: number, accepted: number,
 *   stored: number, clients: number, dropped: number, url: string | null,
 *   uptimeMs: number | null,
 *   counters: [string, number][], ignored: [string, number][], rejected: [string, number][],
 * }} ClusterNode
 */
/** @typedef {{ by: string, on: string, pid: string | null }} Help */
/** @typedef {{ name: string, node: string | null, pid: string | null }} ClusterName */
/**
 * @typedef {{
 *   name: string, pid: string | null, state: string, isSupervisor: boolean, children: TreeNode[],
 * }} TreeNode
 */
/** @typedef {{ node: string, root: TreeNode | null }} Tree */
/** @typedef {{ node: string, at: number | null, reason: string, most: number | null }} Loss */
/**
 * @typedef {{
 *   ok: boolean, engine: string, latencyMs: number | null, problem: string | null,
 * }} StorageState
 */
/**
 * Counters of all nodes, including those that have ended.
 *
 * @typedef {{ counters: [string, number][], ignored: [string, number][], rejected: [string,
 * number][], }} Totals
 */

/**
 * @typedef {{
 *   totals: Totals, here: string, isAlone: boolean, nodes: ClusterNode[], helps: Help[], names: ClusterName[],
 *   trees: Tree[], losses: Loss[], storage: StorageState,
 * }} Cluster
 */

export {};
