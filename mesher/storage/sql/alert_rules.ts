/**
 * The queries of alert rules, in the SQL that both engines share.
 *
 * @module
 */
import type { Action, Condition } from "../../domain/alert.ts";
import { isId, newId } from "../../domain/id.ts";
import type { AlertRule, AlertRules } from "../alert_rules.ts";
import type { Database } from "../database.ts";
import { jsonText, readJson } from "../json.ts";
import { inProject, ofOrg } from "./scope.ts";

interface RuleRow {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly condition: unknown;
  readonly action: unknown;
  readonly enabled: boolean | number;
  readonly cooldown_minutes: number;
  readonly last_fired_at: number | null;
  readonly created_at: number;
}

const RULE = "id, project_id, name, condition, action, enabled, cooldown_minutes, " +
  "last_fired_at, created_at";
const OF_ORG = ofOrg("$2");

const ruleFrom = (row: RuleRow): AlertRule => ({
  id: row.id,
  projectId: row.project_id,
  name: row.name,
  condition: readJson<Condition>(row.condition),
  action: readJson<Action>(row.action),
  enabled: Boolean(row.enabled),
  cooldownMinutes: row.cooldown_minutes,
  lastFiredAt: row.last_fired_at,
  createdAt: row.created_at,
});

/** Returns the queries of alert rules on a database. */
export function alertRules(db: Database): AlertRules {
  return {
    createAlertRule(orgId, { projectId, name, condition, action, cooldownMinutes }) {
      return inProject(db, orgId, projectId, async (query, now) => {
        const row = await query.row<RuleRow>(
          `INSERT INTO alert_rules
             (id, project_id, name, condition, action, cooldown_minutes, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${RULE}`,
          newId(now),
          projectId,
          name,
          jsonText(condition),
          jsonText(action),
          cooldownMinutes,
          now,
        );
        return ruleFrom(row!);
      });
    },

    async alertRules(orgId, projectId) {
      if (!isId(orgId) || !isId(projectId)) return [];
      const rows = await db.rows<RuleRow>(
        `SELECT ${RULE} FROM alert_rules WHERE project_id = $1 AND ${OF_ORG}
         ORDER BY created_at, id`,
        projectId,
        orgId,
      );
      return rows.map(ruleFrom);
    },

    async alertRule(orgId, ruleId) {
      if (!isId(orgId) || !isId(ruleId)) return null;
      const row = await db.row<RuleRow>(
        `SELECT ${RULE} FROM alert_rules WHERE id = $1 AND ${OF_ORG}`,
        ruleId,
        orgId,
      );
      return row === undefined ? null : ruleFrom(row);
    },

    async setAlertRuleEnabled(orgId, ruleId, enabled) {
      if (!isId(orgId) || !isId(ruleId)) return null;
      const row = await db.row<RuleRow>(
        `UPDATE alert_rules SET enabled = $3 WHERE id = $1 AND ${OF_ORG} RETURNING ${RULE}`,
        ruleId,
        orgId,
        enabled,
      );
      return row === undefined ? null : ruleFrom(row);
    },

    async deleteAlertRule(orgId, ruleId) {
      if (!isId(orgId) || !isId(ruleId)) return false;
      return await db.transaction(async (query) => {
        const deleted = await query.change(
          `DELETE FROM alert_rules WHERE id = $1 AND ${OF_ORG}`,
          ruleId,
          orgId,
        );
        if (deleted > 0) await query.change("DELETE FROM alerts WHERE rule_id = $1", ruleId);
        return deleted > 0;
      });
    },

    async enabledAlertRules(projectId) {
      if (projectId !== undefined && !isId(projectId)) return [];
      const rows = projectId === undefined
        ? await db.rows<RuleRow>(`SELECT ${RULE} FROM alert_rules WHERE enabled ORDER BY id`)
        : await db.rows<RuleRow>(
          `SELECT ${RULE} FROM alert_rules WHERE enabled AND project_id = $1 ORDER BY id`,
          projectId,
        );
      return rows.map(ruleFrom);
    },
  };
}
