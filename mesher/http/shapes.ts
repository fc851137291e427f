/**
 * Converts rows to the JSON of the API. Fields have the names of the original Mesher, and times are
 * in ISO 8601.
 *
 * @module
 */
import { actionJson, conditionJson } from "../domain/alert.ts";
import { iso, isoOrNull } from "../pipeline/time.ts";
import type { Activity } from "../storage/activity.ts";
import type { AlertRule } from "../storage/alert_rules.ts";
import type { Alert } from "../storage/alerts.ts";
import type { ApiKey } from "../storage/api_keys.ts";
import type { Issue } from "../storage/issues.ts";
import type { IssueFingerprint } from "../storage/merges.ts";
import type { Member, Membership } from "../storage/organisations.ts";
import type { Page } from "../storage/page.ts";
import type { Project } from "../storage/projects.ts";
import type { Release } from "../storage/releases.ts";
import type { Session } from "../storage/sessions.ts";
import type { User } from "../storage/users.ts";

/** A JSON object. */
export type Shape = Readonly<Record<string, unknown>>;

/** Converts an issue to JSON. */
export function issueShape(issue: Issue): Shape {
  return {
    id: issue.id,
    project_id: issue.projectId,
    fingerprint: issue.fingerprint,
    title: issue.title,
    culprit: issue.culprit,
    level: issue.level,
    status: issue.status,
    event_count: issue.eventCount,
    first_seen: iso(issue.firstSeen),
    last_seen: iso(issue.lastSeen),
    assigned_to: issue.assignedTo,
    user_count: issue.userCount,
    first_release: issue.firstRelease,
    last_release: issue.lastRelease,
    resolved_after: issue.resolvedAfter,
  };
}

/** Converts a release to JSON. */
export function releaseShape(release: Release): Shape {
  return {
    id: release.id,
    version: release.version,
    created_at: iso(release.createdAt),
    new_issues: release.newIssues,
    last_seen: isoOrNull(release.lastSeen),
  };
}

/** Converts a fingerprint of an issue to JSON. */
export function fingerprintShape(one: IssueFingerprint): Shape {
  return {
    fingerprint: one.fingerprint,
    title: one.title,
    culprit: one.culprit,
    merged_at: isoOrNull(one.mergedAt),
  };
}

/** Converts an entry of an issue's activity to JSON. */
export function activityShape(entry: Activity): Shape {
  return {
    id: entry.id,
    kind: entry.kind,
    user_id: entry.userId,
    data: entry.data,
    created_at: iso(entry.createdAt),
  };
}

/** Converts a page of a list to JSON. */
export function pageShape<T>(page: Page<T>, shape: (row: T) => Shape): Shape {
  return {
    data: page.rows.map(shape),
    has_more: page.next !== null,
    next_cursor: page.next === null ? null : String(page.next.at),
    next_cursor_id: page.next?.id ?? null,
  };
}

/** Converts a project to JSON. */
export function projectShape(project: Project): Shape {
  return {
    id: project.id,
    org_id: project.orgId,
    name: project.name,
    slug: project.slug,
    platform: project.platform,
    retention_days: project.retentionDays,
    sample_rate: project.sampleRate,
    scrub: project.scrub,
    created_at: iso(project.createdAt),
  };
}

/** Converts an organisation, and the user's role in it, to JSON. */
export function organisationShape({ organisation, role }: Membership): Shape {
  return {
    id: organisation.id,
    name: organisation.name,
    slug: organisation.slug,
    role,
    created_at: iso(organisation.createdAt),
  };
}

/** Converts a user to JSON. */
export function userShape(user: User): Shape {
  return {
    id: user.id,
    email: user.email,
    display_name: user.displayName,
    operator: user.isOperator,
    created_at: iso(user.createdAt),
  };
}

/** Converts a member to JSON. */
export function memberShape(member: Member): Shape {
  return {
    id: member.id,
    user_id: member.userId,
    email: member.email,
    display_name: member.displayName,
    role: member.role,
    joined_at: iso(member.joinedAt),
  };
}

/**
 * Converts a session or token to JSON, without its secret. The JSON states whether the request was
 * made with it.
 */
export function sessionShape(session: Session, shown: Session): Shape {
  return {
    id: session.id,
    kind: session.kind,
    label: session.label,
    scopes: session.scopes,
    current: session.id === shown.id,
    created_at: iso(session.createdAt),
    expires_at: iso(session.expiresAt),
  };
}

/** Converts a key to JSON. With `secret`, the JSON includes the key itself. */
export function keyShape(key: ApiKey, secret: boolean): Shape {
  return {
    id: key.id,
    project_id: key.projectId,
    label: key.label,
    prefix: key.prefix,
    key_value: secret ? key.secret : null,
    created_at: iso(key.createdAt),
    revoked_at: isoOrNull(key.revokedAt),
  };
}

/** Converts a rule to JSON. */
export function ruleShape(rule: AlertRule): Shape {
  return {
    id: rule.id,
    project_id: rule.projectId,
    name: rule.name,
    condition: conditionJson(rule.condition),
    action: actionJson(rule.action),
    enabled: rule.enabled,
    cooldown_minutes: rule.cooldownMinutes,
    last_fired_at: isoOrNull(rule.lastFiredAt),
    created_at: iso(rule.createdAt),
  };
}

/** Converts an alert to JSON. */
export function alertShape(alert: Alert): Shape {
  return {
    id: alert.id,
    rule_id: alert.ruleId,
    rule_name: alert.ruleName,
    project_id: alert.projectId,
    issue_id: alert.issueId,
    status: alert.status,
    message: alert.message,
    suppressed: alert.suppressed,
    condition_snapshot: conditionJson(alert.condition),
    triggered_at: iso(alert.triggeredAt),
    acknowledged_at: isoOrNull(alert.acknowledgedAt),
    resolved_at: isoOrNull(alert.resolvedAt),
  };
}
