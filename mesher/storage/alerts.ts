/**
 * Defines the alerts in the storage: their fields, queries and changes. An alert is created when a
 * rule fires.
 *
 * @module
 */
import type { Condition } from "../domain/alert.ts";
import type { Page, PageRequest } from "./page.ts";
import type { Result } from "./result.ts";

/** The states of an alert. */
export const ALERT_STATUSES = ["active", "acknowledged", "resolved"] as const;
/** The state of an alert. */
export type AlertStatus = typeof ALERT_STATUSES[number];

/** An alert of a rule. */
export interface Alert {
  readonly id: string;
  readonly ruleId: string;
  readonly ruleName: string;
  readonly projectId: string;
  /** The issue that the alert concerns, or null. */
  readonly issueId: string | null;
  readonly status: AlertStatus;
  readonly message: string;
  /**
   * Number of times that the condition was met again during the cooldown, without another alert.
   */
  readonly suppressed: number;
  /** The rule's condition when the alert was fired. */
  readonly condition: Condition;
  readonly triggeredAt: number;
  readonly acknowledgedAt: number | null;
  readonly resolvedAt: number | null;
}

/** Queries and changes of alerts. */
export interface Alerts {
  alerts(
    orgId: string,
    projectId: string,
    status: AlertStatus | undefined,
    page: PageRequest,
  ): Promise<Page<Alert>>;
  /**
   * Changes an active alert to acknowledged. The reason `wrong_state` means that the alert is not
   * active.
   */
  acknowledgeAlert(
    orgId: string,
    alertId: string,
  ): Promise<Result<Alert, "no_alert" | "wrong_state">>;
  /** Changes an active or acknowledged alert to resolved. */
  resolveAlert(orgId: string, alertId: string): Promise<Result<Alert, "no_alert" | "wrong_state">>;
  /**
   * Resolves the unresolved alerts of a project. `status` and `until` restrict this to alerts in
   * one state, or fired until a time. Returns the number of resolved alerts.
   */
  resolveAlerts(
    orgId: string,
    projectId: string,
    which: {
      readonly status?: Exclude<AlertStatus, "resolved"> | undefined;
      readonly until?: number | undefined;
    },
  ): Promise<number>;
  /**
   * Internal: fires a rule, or returns null if the rule is disabled, deleted, or in its cooldown.
   * The cooldown applies per issue: an alert for another issue is fired at once. Suppressed alerts
   * are counted, and the next alert of the issue has the count. The check and the alert are atomic,
   * so that only one of two concurrent nodes fires the rule.
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
