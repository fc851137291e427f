/**
 * Alerts, which are rules that fired: what is stored, and the queries.
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
  /** How often it was met again while the rule's cooldown lasted, without another alert. */
  readonly suppressed: number;
  /** The condition as it was then. */
  readonly condition: Condition;
  readonly triggeredAt: number;
  readonly acknowledgedAt: number | null;
  readonly resolvedAt: number | null;
}

/** Alerts. */
export interface Alerts {
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
  /** All of a project, or those in one state or fired until then, that were not resolved yet. How many. */
  resolveAlerts(
    orgId: string,
    projectId: string,
    which: {
      readonly status?: Exclude<AlertStatus, "resolved"> | undefined;
      readonly until?: number | undefined;
    },
  ): Promise<number>;
  /**
   * The system's own: fires a rule, unless it is disabled, gone, or in its cooldown: then null. The cooldown is
   * of the issue: another issue fires at once. What is suppressed is counted, and the next alert of the issue
   * says how many were. Asking and firing are one step, so that of two nodes that ask at once one fires.
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
