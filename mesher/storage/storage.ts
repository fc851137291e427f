/**
 * The one storage interface. `sqlite.ts` and `postgres.ts` implement it and one contract suite runs on
 * both; nothing else in Mesher knows which it talks to.
 *
 * **Scope.** Whatever a person asks for is asked with an organisation's id, and rows of another
 * organisation are as if they did not exist: null, an empty page, `false`. Methods without an
 * organisation are the system's own (ingest, alert evaluation, retention) and say so. Ids that are not
 * UUIDs name nothing, and are not errors.
 *
 * **Time** is in milliseconds since the epoch, everywhere. **Text** may hold anything: storage stores NUL
 * and lone surrogates as U+FFFD and the rest as it is.
 *
 * **Failure.** Expected refusals are values (`Result`). Anything else (the database is away, the disk is
 * full) rejects with a `StorageError`, whose `retry` says whether the same call may succeed later;
 * every write may be tried again without harm.
 *
 * @module
 */
import type { Action, Condition } from "../domain/alert.ts";
import type { Level, MesherEvent } from "../domain/event.ts";

/** Something done, or why it was not. */
export type Result<T, Reason extends string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: Reason };

/** The database failed. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  /** Whether the same call may succeed later. */
  readonly retry: boolean;

  constructor(message: string, retry: boolean, cause?: unknown) {
    super(message, { cause });
    this.retry = retry;
  }
}

// ---------------------------------------------------------------------------------------------------
// Rows

/** What a member of an organisation may do. */
export const ROLES = ["owner", "admin", "member"] as const;
/** What a member of an organisation may do. */
export type Role = typeof ROLES[number];

/** The states of an issue. `archived` is ignored until it spikes; `discarded` drops its events. */
export const ISSUE_STATUSES = ["unresolved", "resolved", "archived", "discarded"] as const;
/** The state of an issue. */
export type IssueStatus = typeof ISSUE_STATUSES[number];

/** The states of an alert. */
export const ALERT_STATUSES = ["active", "acknowledged", "resolved"] as const;
/** The state of an alert. */
export type AlertStatus = typeof ALERT_STATUSES[number];

/** An organisation. */
export interface Organisation {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly createdAt: number;
}

/** A person who logs in. */
export interface User {
  readonly id: string;
  /** As given; two that differ in case only are the same. */
  readonly email: string;
  readonly displayName: string;
  readonly createdAt: number;
}

/** A person and the secret's hash, for logging in only. */
export interface Credentials {
  readonly user: User;
  readonly passwordHash: string;
}

/** A person in an organisation. */
export interface Member {
  /** Of the membership. */
  readonly id: string;
  readonly userId: string;
  readonly email: string;
  readonly displayName: string;
  readonly role: Role;
  readonly joinedAt: number;
}

/** An organisation, and what the person who asked is in it. */
export interface Membership {
  readonly organisation: Organisation;
  readonly role: Role;
}

/** A login (`session`, from a password) or a personal token (`token`, for programs). Stored hashed. */
export interface Session {
  /** For listing and ending it; not the secret. */
  readonly id: string;
  readonly kind: "session" | "token";
  readonly userId: string;
  readonly label: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** A project. */
export interface Project {
  readonly id: string;
  readonly orgId: string;
  readonly name: string;
  /** Unique in its organisation. */
  readonly slug: string;
  readonly platform: string | null;
  /** Events older than this are deleted. */
  readonly retentionDays: number;
  /** Of 0 to 1: the share of events that is kept. */
  readonly sampleRate: number;
  readonly createdAt: number;
}

/** What may be changed of a project; what is absent stays. */
export interface ProjectSettings {
  readonly name?: string | undefined;
  readonly platform?: string | null | undefined;
  readonly retentionDays?: number | undefined;
  readonly sampleRate?: number | undefined;
}

/** A key for ingest, without the key: that was shown once. */
export interface ApiKey {
  readonly id: string;
  readonly projectId: string;
  readonly label: string;
  /** The key's first characters, to tell keys apart. */
  readonly prefix: string;
  readonly createdAt: number;
  readonly revokedAt: number | null;
}

/** A group of events that are the same fault. */
export interface Issue {
  readonly id: string;
  readonly projectId: string;
  readonly fingerprint: string;
  readonly title: string;
  /** Where it was thrown, or empty. */
  readonly culprit: string;
  /** Of its latest event. */
  readonly level: Level;
  readonly status: IssueStatus;
  /** Events ever stored, those deleted by retention included. */
  readonly eventCount: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** A user's id. */
  readonly assignedTo: string | null;
}

/** What a list of events shows of each. */
export interface EventSummary {
  readonly id: string;
  readonly projectId: string;
  readonly issueId: string;
  readonly level: Level;
  readonly title: string;
  readonly message: string;
  readonly environment: string | null;
  readonly release: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly timestamp: number;
  readonly receivedAt: number;
}

/** An event as stored, with the events before and after it in its issue. */
export interface EventDetail {
  readonly projectId: string;
  readonly issueId: string;
  readonly fingerprint: string;
  readonly title: string;
  readonly receivedAt: number;
  readonly event: MesherEvent;
  /** The next later event of the issue. */
  readonly nextId: string | null;
  /** The next earlier one. */
  readonly previousId: string | null;
}

/** When a rule fires. */
export type AlertCondition = Condition;

/** What a rule does when it fires. */
export type AlertAction = Action;

/** A rule. */
export interface AlertRule {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly condition: AlertCondition;
  readonly action: AlertAction;
  readonly enabled: boolean;
  readonly cooldownMinutes: number;
  readonly lastFiredAt: number | null;
  readonly createdAt: number;
}

/** A rule that fired. */
export interface Alert {
  readonly id: string;
  readonly ruleId: string;
  readonly ruleName: string;
  readonly projectId: string;
  /** The issue that it is about, if it is about one. */
  readonly issueId: string | null;
  readonly status: AlertStatus;
  readonly message: string;
  /** The condition as it was then. */
  readonly condition: AlertCondition;
  readonly triggeredAt: number;
  readonly acknowledgedAt: number | null;
  readonly resolvedAt: number | null;
}

// ---------------------------------------------------------------------------------------------------
// Pages

/** A part of a list, newest first. `next` goes into the following call; null: that was the end. */
export interface Page<T> {
  readonly rows: readonly T[];
  readonly next: Cursor | null;
}

/**
 * A place in a list: the time and id of the last row seen. Rows that come later do not move it.
 * `domain/cursor.ts` makes text of it.
 */
export interface Cursor {
  readonly at: number;
  readonly id: string;
}

/** At most this many rows come in one page, whatever was asked. */
export const PAGE_ROWS_MAX = 100;

/** Which part of a list. */
export interface PageRequest {
  /** 1 to `PAGE_ROWS_MAX`; more is cut to it. */
  readonly limit: number;
  readonly after?: Cursor | null | undefined;
}

/** Which issues. What is absent is not asked. */
export interface IssueFilter {
  readonly status?: IssueStatus | undefined;
  readonly level?: Level | undefined;
  /** A user's id; null: assigned to nobody. */
  readonly assignedTo?: string | null | undefined;
  /** Part of the title, in any case. */
  readonly query?: string | undefined;
}

/** Which events. What is absent is not asked. */
export interface EventFilter {
  /** Words that the title, message or exceptions hold, all of them; the last may be a beginning. */
  readonly query?: string | undefined;
  readonly issueId?: string | undefined;
  readonly level?: Level | undefined;
  readonly environment?: string | undefined;
  readonly release?: string | undefined;
  /** All of these. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Received at or after. */
  readonly since?: number | undefined;
  /** Received before. */
  readonly before?: number | undefined;
}

// ---------------------------------------------------------------------------------------------------
// Writing events

/** At most this many events go into one call of `writeEvents`; more is refused by an assertion. */
export const WRITE_EVENTS_MAX = 10_000;

/** An event as the batch writer hands it over. */
export interface NewEvent {
  readonly projectId: string;
  /** From `domain/fingerprint.ts`; at most 64 characters. */
  readonly fingerprint: string;
  readonly title: string;
  readonly culprit: string;
  readonly receivedAt: number;
  readonly event: MesherEvent;
}

/** What became of one event of a batch. */
export type EventOutcome =
  /** It is stored. `first`: its issue is new. `regressed`: its issue was resolved, and is not now. */
  | {
    readonly kind: "stored";
    readonly issueId: string;
    readonly first: boolean;
    readonly regressed: boolean;
  }
  /** The project has an event of this id: nothing changed. */
  | { readonly kind: "duplicate" }
  /** Its issue is discarded: nothing is stored. */
  | { readonly kind: "discarded"; readonly issueId: string }
  /** There is no such project (any more). */
  | { readonly kind: "orphan" };

// ---------------------------------------------------------------------------------------------------
// Dashboards

/** One column of a volume chart. */
export interface VolumeBucket {
  /** When it begins. */
  readonly at: number;
  readonly count: number;
}

/** A value and how many events have it. */
export interface ValueCount {
  readonly value: string;
  readonly count: number;
}

/** A project at a glance. */
export interface ProjectHealth {
  readonly unresolvedIssues: number;
  readonly events24h: number;
  /** Issues first seen in the last 24 hours. */
  readonly newIssues24h: number;
}

/** What a project occupies. */
export interface ProjectUsage {
  readonly events: number;
  readonly issues: number;
  /** An estimate from the size of the stored payloads. */
  readonly bytes: number;
  /** When the oldest event that is still stored was received. */
  readonly oldestAt: number | null;
}

/** An archived issue and how often it came, for the spike rule. */
export interface SpikeCandidate {
  readonly issueId: string;
  readonly projectId: string;
  readonly title: string;
  /** Events of the last hour. */
  readonly lastHour: number;
  /** Events of the seven days before that hour. */
  readonly weekBefore: number;
}

/** What a round of upkeep did. */
export interface UpkeepReport {
  readonly eventsDeleted: number;
  readonly sessionsDeleted: number;
  /** PostgreSQL's day partitions; 0 on SQLite. */
  readonly partitionsCreated: number;
  readonly partitionsDropped: number;
}

/** How the database is. */
export interface StorageHealth {
  readonly ok: boolean;
  readonly engine: "sqlite" | "postgres";
  /** The schema's version. */
  readonly schema: number;
  /** How long one trivial query took. */
  readonly latencyMs: number;
  /** What is wrong, if something is. */
  readonly problem: string | null;
}

// ---------------------------------------------------------------------------------------------------
// The interface, by part

/** Organisations, users, memberships, sessions. */
export interface Accounts {
  /** Makes an organisation that `ownerId` owns. `slug`: unique in all of Mesher. */
  createOrganisation(
    input: { readonly name: string; readonly slug: string; readonly ownerId: string },
  ): Promise<Result<Organisation, "slug_taken" | "no_user">>;
  /** By id or slug, if `userId` is a member. */
  organisationOf(userId: string, idOrSlug: string): Promise<Membership | null>;
  /** All that a user is a member of, by name. */
  organisationsOf(userId: string): Promise<readonly Membership[]>;

  /** The hash is `domain/password.ts`'s. */
  createUser(
    input: {
      readonly email: string;
      readonly displayName: string;
      readonly passwordHash: string;
    },
  ): Promise<Result<User, "email_taken">>;
  /** For logging in. */
  credentials(email: string): Promise<Credentials | null>;
  user(userId: string): Promise<User | null>;
  /** A new password. Ends all of the user's sessions, not their tokens. */
  setPassword(userId: string, passwordHash: string): Promise<boolean>;
  /** How many users there are: none means that this is the first start. */
  userCount(): Promise<number>;

  members(orgId: string): Promise<readonly Member[]>;
  addMember(
    orgId: string,
    userId: string,
    role: Role,
  ): Promise<Result<Member, "no_org" | "no_user" | "already_member">>;
  /** An organisation keeps at least one owner. */
  setRole(
    orgId: string,
    membershipId: string,
    role: Role,
  ): Promise<Result<Member, "no_member" | "last_owner">>;
  /** Issues assigned to them in this organisation are assigned to nobody. */
  removeMember(
    orgId: string,
    membershipId: string,
  ): Promise<Result<null, "no_member" | "last_owner">>;

  /** `secretHash`: `domain/secret.ts`'s. */
  createSession(
    input: {
      readonly userId: string;
      readonly kind: Session["kind"];
      readonly label: string;
      readonly secretHash: string;
      readonly expiresAt: number;
    },
  ): Promise<Result<Session, "no_user">>;
  /** Who has this secret, unless it has expired. */
  sessionBySecret(
    secretHash: string,
  ): Promise<{ readonly session: Session; readonly user: User } | null>;
  sessions(userId: string): Promise<readonly Session[]>;
  endSession(userId: string, sessionId: string): Promise<boolean>;
}

/** Projects and their keys. */
export interface Projects {
  createProject(
    input: {
      readonly orgId: string;
      readonly name: string;
      readonly slug: string;
      readonly platform: string | null;
    },
  ): Promise<Result<Project, "no_org" | "slug_taken">>;
  /** By id or slug. */
  project(orgId: string, idOrSlug: string): Promise<Project | null>;
  projects(orgId: string): Promise<readonly Project[]>;
  /** `retentionDays`: 1 to 3650, `sampleRate`: 0 to 1; the caller has checked. */
  updateProject(orgId: string, projectId: string, change: ProjectSettings): Promise<Project | null>;
  /** With all that it has. */
  deleteProject(orgId: string, projectId: string): Promise<boolean>;

  createApiKey(
    orgId: string,
    input: {
      readonly projectId: string;
      readonly label: string;
      readonly prefix: string;
      readonly secretHash: string;
    },
  ): Promise<Result<ApiKey, "no_project">>;
  apiKeys(orgId: string, projectId: string): Promise<readonly ApiKey[]>;
  /** False when there is none, or it was revoked before. */
  revokeApiKey(orgId: string, keyId: string): Promise<boolean>;
  /** The system's own: whose key this is, unless it is revoked. */
  projectByKey(
    secretHash: string,
  ): Promise<{ readonly project: Project; readonly keyId: string } | null>;
  /** The system's own: a project by its id alone. */
  projectById(projectId: string): Promise<Project | null>;
  /** The system's own: every project. */
  allProjects(): Promise<readonly Project[]>;
}

/** Issues. */
export interface Issues {
  /** By latest event, newest first; at equal times by id. */
  issues(
    orgId: string,
    projectId: string,
    filter: IssueFilter,
    page: PageRequest,
  ): Promise<Page<Issue>>;
  issue(orgId: string, issueId: string): Promise<Issue | null>;
  /**
   * Sets the state: resolve, archive (ignore), unresolve, discard. The issue as it is then, or null.
   * Setting what is set is no error. `changed`: whether it was another state before.
   */
  setIssueStatus(
    orgId: string,
    issueId: string,
    status: IssueStatus,
  ): Promise<{ readonly issue: Issue; readonly changed: boolean } | null>;
  /** `null` assigns it to nobody. The user must be a member of the organisation. */
  assignIssue(
    orgId: string,
    issueId: string,
    userId: string | null,
  ): Promise<Result<Issue, "no_issue" | "no_member">>;
  /** With its events. */
  deleteIssue(orgId: string, issueId: string): Promise<boolean>;
  /** Unresolved issues with the most events in the window, most first. */
  topIssues(
    orgId: string,
    projectId: string,
    since: number,
    limit: number,
  ): Promise<readonly (Issue & { readonly recent: number })[]>;
  /** The system's own: how many of a project's issues are unresolved. */
  unresolvedCount(projectId: string): Promise<number>;
  /** The system's own: archived issues that had events in the hour before `now`. */
  spikeCandidates(now: number): Promise<readonly SpikeCandidate[]>;
  /** The system's own: archived becomes unresolved. False: it was not archived (any more). */
  unarchive(issueId: string): Promise<boolean>;
}

/** Events. */
export interface Events {
  /**
   * The system's own. Stores a batch in one transaction: all of it or, when it rejects, none. Makes the
   * issues that are missing, counts, moves resolved issues back to unresolved. An id that the project
   * already has changes nothing, so that a batch may be written again. Outcomes are in the order of
   * `batch`; of two of one id in a batch the second is the duplicate, and of several first events of an
   * issue only the first is `first`.
   */
  writeEvents(batch: readonly NewEvent[]): Promise<readonly EventOutcome[]>;
  /** By when they were received, newest first; at equal times by id. */
  events(
    orgId: string,
    projectId: string,
    filter: EventFilter,
    page: PageRequest,
  ): Promise<Page<EventSummary>>;
  /** The same, of one issue. */
  issueEvents(
    orgId: string,
    issueId: string,
    page: PageRequest,
  ): Promise<Page<EventSummary>>;
  event(orgId: string, eventId: string): Promise<EventDetail | null>;

  /** Buckets from `since` to `until`, the empty ones included, oldest first; at most 1000. */
  volume(
    orgId: string,
    projectId: string,
    range: { readonly since: number; readonly until: number; readonly bucketMs: number },
  ): Promise<readonly VolumeBucket[]>;
  /** Events per level since then. */
  levelCounts(orgId: string, projectId: string, since: number): Promise<readonly ValueCount[]>;
  /** The commonest values of one tag, most first. */
  tagValues(
    orgId: string,
    projectId: string,
    key: string,
    since: number,
    limit: number,
  ): Promise<readonly ValueCount[]>;
  /** The commonest tag keys, most first. */
  tagKeys(
    orgId: string,
    projectId: string,
    since: number,
    limit: number,
  ): Promise<readonly ValueCount[]>;
  /** All tags of one issue: the commonest values of each key. */
  issueTags(
    orgId: string,
    issueId: string,
    since: number,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly values: readonly ValueCount[] }[]>;
  projectHealth(orgId: string, projectId: string, now: number): Promise<ProjectHealth | null>;
  projectUsage(orgId: string, projectId: string): Promise<ProjectUsage | null>;
  /** The system's own: how many events a project received since then. */
  eventCount(projectId: string, since: number): Promise<number>;
}

/** Alert rules and alerts. */
export interface Alerts {
  createAlertRule(
    orgId: string,
    input: {
      readonly projectId: string;
      readonly name: string;
      readonly condition: AlertCondition;
      readonly action: AlertAction;
      readonly cooldownMinutes: number;
    },
  ): Promise<Result<AlertRule, "no_project">>;
  alertRules(orgId: string, projectId: string): Promise<readonly AlertRule[]>;
  setAlertRuleEnabled(orgId: string, ruleId: string, enabled: boolean): Promise<AlertRule | null>;
  /** With its alerts. */
  deleteAlertRule(orgId: string, ruleId: string): Promise<boolean>;
  alerts(
    orgId: string,
    projectId: string,
    status: AlertStatus | undefined,
    page: PageRequest,
  ): Promise<Page<Alert>>;
  /** Active becomes acknowledged. `wrong_state`: it is not active. */
  acknowledgeAlert(
    orgId: string,
    alertId: string,
  ): Promise<Result<Alert, "no_alert" | "wrong_state">>;
  /** Active or acknowledged becomes resolved. */
  resolveAlert(orgId: string, alertId: string): Promise<Result<Alert, "no_alert" | "wrong_state">>;
  /** The system's own: the rules that are enabled, of one project or of all. */
  enabledAlertRules(projectId?: string): Promise<readonly AlertRule[]>;
  /**
   * The system's own: fires a rule, unless it is disabled, gone, or in its cooldown: then null. Asking
   * and firing are one step, so that of two nodes that ask at once one gets the alert.
   */
  fireAlert(
    input: {
      readonly ruleId: string;
      readonly issueId: string | null;
      readonly message: string;
      readonly now: number;
    },
  ): Promise<Alert | null>;
}

/** The storage's own affairs. */
export interface Upkeep {
  /**
   * Deletes what is older than its project's retention, ends expired sessions, and on PostgreSQL makes
   * the next days' partitions and drops the emptied ones. Works in small transactions; safe to run on
   * several nodes at once, and again at any time.
   */
  upkeep(now: number): Promise<UpkeepReport>;
  /** Never rejects. */
  health(): Promise<StorageHealth>;
  /** Waits for what is under way, then closes. Later calls reject. */
  close(): Promise<void>;
}

/** All of it. */
export interface Storage extends Accounts, Projects, Issues, Events, Alerts, Upkeep {}
