/**
 * Defines the alert rules in the storage: their fields, queries and changes.
 *
 * @module
 */
import type { Action, Condition } from "../domain/alert.ts";
import type { Result } from "./result.ts";

/** A stored alert rule. */
export interface AlertRule {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly condition: Condition;
  readonly action: Action;
  readonly enabled: boolean;
  readonly cooldownMinutes: number;
  readonly lastFiredAt: number | null;
  readonly createdAt: number;
}

/** Queries and changes of alert rules. */
export interface AlertRules {
  createAlertRule(
    orgId: string,
    input: {
      readonly projectId: string;
      readonly name: string;
      readonly condition: Condition;
      readonly action: Action;
      readonly cooldownMinutes: number;
    },
  ): Promise<Result<AlertRule, "no_project">>;
  alertRules(orgId: string, projectId: string): Promise<readonly AlertRule[]>;
  alertRule(orgId: string, ruleId: string): Promise<AlertRule | null>;
  setAlertRuleEnabled(orgId: string, ruleId: string, enabled: boolean): Promise<AlertRule | null>;
  /** Deletes a rule with its alerts. Returns false if there is no such rule. */
  deleteAlertRule(orgId: string, ruleId: string): Promise<boolean>;
  /** Internal: returns the enabled rules of one project, or of all projects. */
  enabledAlertRules(projectId?: string): Promise<readonly AlertRule[]>;
}
