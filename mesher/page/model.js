/**
 * The types of the page's data. The files of `server/` create these objects from the API's JSON.
 *
 * @module
 */

/** The severity of an event. @typedef {"debug" | "info" | "warning" | "error" | "fatal"} Level */
/**
 * The state of an issue.
 *
 * @typedef {"unresolved" | "resolved" | "archived" | "discarded"} IssueStatus
 */
/** The role of a member in an organisation. @typedef {"owner" | "admin" | "member"} Role */

/**
 * The user of the page.
 *
 * @typedef {{ id: string, email: string, name: string, isOperator: boolean }} User
 */
/**
 * The address of the page on another node.
 *
 * @typedef {{ name: string, url: string | null }} OtherNode
 */
/**
 * An organisation, and the user's role in it.
 *
 * @typedef {{ id: string, name: string, slug: string, role: Role }} Organisation
 */
/**
 * An invitation that was not accepted yet.
 *
 * @typedef {{ id: string, email: string, role: Role, expiresAt: number | null }} Invitation
 */
/**
 * The rules for removing secrets from events.
 *
 * @typedef {{ enabled: boolean, fields: string[], safe: string[] }} ScrubRules
 */
/**
 * A project, with its settings.
 *
 * @typedef {{
 *   id: string, orgId: string, name: string, slug: string, platform: string | null,
 *   retentionDays: number, sampleRate: number, scrub: ScrubRules,
 * }} Project
 */
/**
 * An issue. `recent` is the number of its events in the last day, and null except in the list of
 * top issues.
 *
 * @typedef {{
 *   id: string, projectId: string, title: string, culprit: string, level: Level,
 *   status: IssueStatus, count: number, recent: number | null,
 *   firstSeen: number | null, lastSeen: number | null, assignedTo: string | null,
 *   users: number, firstRelease: string | null, lastRelease: string | null,
 *   resolvedAfter: string | null,
 * }} Issue
 */
/**
 * A release of a project.
 *
 * @typedef {{
 *   id: string, version: string, createdAt: number | null, newIssues: number,
 *   lastSeen: number | null,
 * }} Release
 */
/**
 * A fingerprint whose events belong to an issue.
 *
 * @typedef {{ fingerprint: string, title: string, culprit: string, mergedAt: number | null }} Fingerprint
 */
/**
 * An entry in the activity of an issue. `userId` is null for the system.
 *
 * @typedef {{
 *   id: string, kind: string, userId: string | null, data: Record<string, unknown>,
 *   at: number | null,
 * }} Activity
 */
/**
 * An event in a list.
 *
 * @typedef {{
 *   id: string, issueId: string, level: Level, title: string, message: string,
 *   environment: string | null, release: string | null, tags: [string, string][],
 *   at: number | null,
 * }} EventSummary
 */
/**
 * A frame of a stack.
 *
 * @typedef {{
 *   file: string | null, function: string | null, module: string | null, line: number | null,
 *   column: number | null, inApp: boolean | null, context: string | null, before: string[],
 *   after: string[],
 *   package: string | null, vars: Record<string, unknown>, minified: string | null,
 * }} Frame
 */
/**
 * An exception, with its stack.
 *
 * @typedef {{
 *   type: string, value: string, handled: boolean | null, frames: Frame[],
 * }} Exception
 */
/**
 * An action of the program before the event.
 *
 * @typedef {{
 *   at: number | null, type: string | null, category: string | null, level: Level,
 *   message: string | null, data: Record<string, unknown>,
 * }} Breadcrumb
 */
/**
 * An event with all details, and the ids of the next and the previous event of its issue.
 *
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
/**
 * A value, and the number of events that have it.
 *
 * @typedef {{ value: string, count: number }} ValueCount
 */
/**
 * The number of events in a period that starts at the time `at`.
 *
 * @typedef {{ at: number, count: number }} Bucket
 */
/**
 * The counts of a project. `fresh` is the number of issues that were first seen in the last day.
 *
 * @typedef {{ unresolved: number, events: number, fresh: number }} Health
 */
/**
 * The storage used by a project.
 *
 * @typedef {{ events: number, bytes: number, oldestAt: number | null }} Usage
 */
/**
 * An alert rule.
 *
 * @typedef {{
 *   id: string, name: string, kind: string, threshold: number | null,
 *   windowMinutes: number | null, channel: string, webhook: string | null, to: string[],
 *   enabled: boolean,
 *   cooldownMinutes: number, lastFiredAt: number | null,
 * }} AlertRule
 */
/**
 * An alert that a rule has fired.
 *
 * @typedef {{
 *   id: string, ruleId: string, ruleName: string, issueId: string | null, status: string,
 *   message: string, suppressed: number, at: number | null,
 * }} Alert
 */
/**
 * A key of a project.
 *
 * @typedef {{
 *   id: string, label: string, secret: string | null, prefix: string, createdAt: number | null,
 *   revokedAt: number | null,
 * }} ApiKey
 */
/**
 * A session or a token of the user. `isThis` is whether the page itself uses it.
 *
 * @typedef {{
 *   id: string, kind: "session" | "token", scopes: string[] | null, label: string, isThis: boolean,
 *   createdAt: number | null, expiresAt: number | null,
 * }} Session
 */
/**
 * A member of an organisation.
 *
 * @typedef {{
 *   id: string, userId: string, email: string, name: string, role: Role, joinedAt: number | null,
 * }} Member
 */
/**
 * A page of a list. `next` is the additional query of the next page, or null.
 *
 * @template T
 * @typedef {{ rows: T[], next: Record<string, string> | null }} Page
 */

/** The values of one tag. @typedef {{ key: string, values: ValueCount[] }} Tag */

/**
 * A node of the cluster, with its counters. `isHere` is whether it serves the page.
 *
 * @typedef {{
 *   name: string, isHere: boolean, load: number, unstored: number, accepted: number,
 *   stored: number, clients: number, dropped: number, url: string | null,
 *   uptimeMs: number | null,
 *   counters: [string, number][], ignored: [string, number][], rejected: [string, number][],
 * }} ClusterNode
 */
/**
 * A helper: node `by` processes events for node `on`.
 *
 * @typedef {{ by: string, on: string, pid: string | null }} Help
 */
/**
 * A global name, and the process that has it.
 *
 * @typedef {{ name: string, node: string | null, pid: string | null }} ClusterName
 */
/**
 * A process in a supervision tree, with its descendants.
 *
 * @typedef {{
 *   name: string, pid: string | null, state: string, isSupervisor: boolean, children: TreeNode[],
 * }} TreeNode
 */
/** The supervision tree of a node. @typedef {{ node: string, root: TreeNode | null }} Tree */
/**
 * A lost node. `most` is the maximum number of its events that may be missing.
 *
 * @typedef {{ node: string, at: number | null, reason: string, most: number | null }} Loss
 */
/**
 * The state of the database.
 *
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
 * The state of the whole cluster, as one node sees it.
 *
 * @typedef {{
 *   totals: Totals, here: string, isAlone: boolean, nodes: ClusterNode[], helps: Help[], names: ClusterName[],
 *   trees: Tree[], losses: Loss[], storage: StorageState,
 * }} Cluster
 */

export {};
