/**
 * The queries of alerts, in the SQL that both engines share.
 *
 * @module
 */
import type { Condition } from "../../domain/alert.ts";
import { isId, newId } from "../../domain/id.ts";
import type { Alert, Alerts, AlertStatus } from "../alerts.ts";
import { Conditions, type Database, type Query } from "../database.ts";
import { jsonText, readJson } from "../json.ts";
import type { Result } from "../result.ts";
import { limitOf, narrowToPage, NO_ROWS, pageFrom } from "./page.ts";
import { ofOrg } from "./scope.ts";

interface AlertRow {
  readonly id: string;
  readonly rule_id: string;
  readonly rule_name: string;
  readonly project_id: string;
  readonly issue_id: string | null;
  readonly status: AlertStatus;
  readonly message: string;
  readonly suppressed: number;
  readonly condition: unknown;
  readonly triggered_at: number;
  readonly acknowledged_at: number | null;
  readonly resolved_at: number | null;
}

/** The fields of a rule that are copied into its alerts. */
interface FiredRow {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly condition: unknown;
  readonly cooldown_minutes: number;
}

const ALERT =
  "id, rule_id, rule_name, project_id, issue_id, status, message, suppressed, condition, " +
  "triggered_at, acknowledged_at, resolved_at";
const OF_ORG = ofOrg("$2");

const alertFrom = (row: AlertRow): Alert => ({
  id: row.id,
  ruleId: row.rule_id,
  ruleName: row.rule_name,
  projectId: row.project_id,
  issueId: row.issue_id,
  status: row.status,
  message: row.message,
  suppressed: row.suppressed,
  condition: readJson<Condition>(row.condition),
  triggeredAt: row.triggered_at,
  acknowledgedAt: row.acknowledged_at,
  resolvedAt: row.resolved_at,
});

/** Returns the queries of alerts on a database. */
export function alerts(db: Database): Alerts {
  /** Changes the state of an alert from one of `from`, and stores the time of the change. */
  const move = async (
    orgId: string,
    alertId: string,
    from: readonly AlertStatus[],
    to: "acknowledged" | "resolved",
  ): Promise<Result<Alert, "no_alert" | "wrong_state">> => {
    if (!isId(orgId) || !isId(alertId)) return { ok: false, reason: "no_alert" };
    return await db.transaction(async (query: Query) => {
      const old = await query.row<AlertRow>(
        `SELECT ${ALERT} FROM alerts WHERE id = $1 AND ${OF_ORG}${db.dialect.forUpdate}`,
        alertId,
        orgId,
      );
      if (old === undefined) return { ok: false, reason: "no_alert" };
      if (!from.includes(old.status)) return { ok: false, reason: "wrong_state" };
      const row = await query.row<AlertRow>(
        `UPDATE alerts SET status = $2, ${to}_at = $3 WHERE id = $1 RETURNING ${ALERT}`,
        alertId,
        to,
        db.now(),
      );
      return { ok: true, value: alertFrom(row!) };
    });
  };

  return {
    async alerts(orgId, projectId, status, page) {
      if (!isId(orgId) || !isId(projectId)) return NO_ROWS;
      const where = new Conditions();
      where.and(`project_id = ${where.param(projectId)}`);
      where.and(ofOrg(where.param(orgId)));
      if (status !== undefined) where.and(`status = ${where.param(status)}`);
      if (!narrowToPage(where, page, "triggered_at", "id")) return NO_ROWS;
      const limit = limitOf(page);
      const rows = await db.rows<AlertRow>(
        `SELECT ${ALERT} FROM alerts WHERE ${where.text}
         ORDER BY triggered_at DESC, id DESC LIMIT ${where.param(limit + 1)}`,
        ...where.params,
      );
      return pageFrom(rows, limit, (row) => row.triggered_at, alertFrom);
    },

    acknowledgeAlert(orgId, alertId) {
      return move(orgId, alertId, ["active"], "acknowledged");
    },

    resolveAlert(orgId, alertId) {
      return move(orgId, alertId, ["active", "acknowledged"], "resolved");
    },

    async resolveAlerts(orgId, projectId, { status, until }) {
      if (!isId(orgId) || !isId(projectId)) return 0;
      const where = new Conditions();
      const now = where.param(db.now());
      where.and(`project_id = ${where.param(projectId)}`);
      where.and(ofOrg(where.param(orgId)));
      where.and(status === undefined ? "status <> 'resolved'" : `status = ${where.param(status)}`);
      if (until !== undefined) where.and(`triggered_at <= ${where.param(until)}`);
      return await db.change(
        `UPDATE alerts SET status = 'resolved', resolved_at = ${now} WHERE ${where.text}`,
        ...where.params,
      );
    },

    async fireAlert({ ruleId, issueId, message, now }) {
      if (!isId(ruleId) || (issueId !== null && !isId(issueId))) return null;
      return await db.transaction(async (query) => {
        // Locks the rule, so that only one of several nodes fires it.
        const rule = await query.row<FiredRow>(
          `SELECT id, project_id, name, condition, cooldown_minutes FROM alert_rules
           WHERE id = $1 AND enabled${db.dialect.forUpdate}`,
          ruleId,
        );
        if (rule === undefined) return null;
        const ofIssue = issueId === null ? "issue_id IS NULL" : "issue_id = $2";
        const last = await query.row<{ id: string; triggered_at: number; suppressed: number }>(
          `SELECT id, triggered_at, suppressed FROM alerts WHERE rule_id = $1 AND ${ofIssue}
           ORDER BY triggered_at DESC, id DESC LIMIT 1`,
          ...(issueId === null ? [ruleId] : [ruleId, issueId]),
        );
        if (last !== undefined && last.triggered_at > now - rule.cooldown_minutes * 60_000) {
          await query.change(
            "UPDATE alerts SET suppressed = suppressed + 1 WHERE id = $1",
            last.id,
          );
          return null;
        }
        await query.change("UPDATE alert_rules SET last_fired_at = $2 WHERE id = $1", ruleId, now);
        const missed = last?.suppressed ?? 0;
        const words = missed === 0
          ? ""
          : ` (${missed} more ${missed === 1 ? "was" : "were"} suppressed since the last alert)`;
        const row = await query.row<AlertRow>(
          `INSERT INTO alerts
             (id, rule_id, rule_name, project_id, issue_id, status, message, condition, triggered_at)
           VALUES ($1, $2, $3, $4, $5, 'active', $6, $7, $8) RETURNING ${ALERT}`,
          newId(now),
          rule.id,
          rule.name,
          rule.project_id,
          issueId,
          message + words,
          jsonText(readJson(rule.condition)),
          now,
        );
        return alertFrom(row!);
      });
    },
  };
}
