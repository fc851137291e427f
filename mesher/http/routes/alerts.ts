/**
 * Alert rules and the alerts that they fired.
 *
 * @module
 */
import { actionFrom, conditionFrom, cooldownFrom, type Parsed } from "../../domain/alert.ts";
import {
  type Alert,
  ALERT_STATUSES,
  type AlertStatus,
  type Result,
} from "../../storage/storage.ts";
import { type Asked, Refusal, type Reply, type Route } from "../route.ts";
import { inScope, membershipsOf, projectPlaceOf } from "../scope.ts";
import { alertShape, ruleShape } from "../shapes.ts";
import { affected } from "./issues.ts";

/** The routes. */
export const alertRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/alert-rules",
    name: "listAlertRules",
    about: "The rules of a project.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    gives: "[rule]",
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      const { storage } = asked.mesher;
      const rules = await storage.alertRules(membership.organisation.id, project.id);
      return { json: rules.map(ruleShape) };
    },
  },
  {
    method: "POST",
    path: "/api/v1/projects/:project_id/alert-rules",
    name: "createAlertRule",
    about: "Makes a rule. Conditions: threshold (threshold, window_minutes), new_issue, " +
      "regression, spike. Actions: websocket, webhook (url).",
    access: "user",
    body: {
      name: { type: "string", required: true, max: 200 },
      condition: { type: "object", required: true },
      action: { type: "object" },
      cooldown_minutes: { type: "integer" },
    },
    ok: 201,
    errors: [400, 401, 404],
    gives: '{"id"}',
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      const { body } = asked;
      const made = await asked.mesher.storage.createAlertRule(membership.organisation.id, {
        projectId: project.id,
        name: body["name"] as string,
        condition: valid(conditionFrom(body["condition"])),
        action: valid(actionFrom(body["action"])),
        cooldownMinutes: valid(cooldownFrom(body["cooldown_minutes"])),
      });
      if (!made.ok) throw new Refusal(404, "project not found");
      return { json: { id: made.value.id } };
    },
  },
  {
    method: "POST",
    path: "/api/v1/alert-rules/:rule_id/toggle",
    name: "toggleAlertRule",
    about: "Switches a rule on or off.",
    access: "user",
    body: { enabled: { type: "boolean", about: "default: true" } },
    ok: 200,
    errors: [400, 401, 404],
    gives: '{"status":"ok","affected"}',
    async handle(asked): Promise<Reply> {
      const enabled = (asked.body["enabled"] as boolean | undefined) ?? true;
      const id = asked.params["rule_id"]!;
      const { storage } = asked.mesher;
      await inScope(asked, "alert rule", (org) => storage.setAlertRuleEnabled(org, id, enabled));
      return affected(true);
    },
  },
  {
    method: "POST",
    path: "/api/v1/alert-rules/:rule_id/delete",
    name: "deleteAlertRule",
    about: "Deletes a rule and its alerts.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    gives: '{"status":"ok","affected"}',
    async handle(asked): Promise<Reply> {
      const id = asked.params["rule_id"]!;
      const { storage } = asked.mesher;
      await inScope(asked, "alert rule", (org) => storage.deleteAlertRule(org, id));
      return affected(true);
    },
  },
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/alerts",
    name: "listAlerts",
    about: "The latest 50 alerts, newest first.",
    access: "user",
    query: { status: { type: "string", enum: ALERT_STATUSES } },
    ok: 200,
    errors: [400, 401, 404],
    gives: "[alert]",
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      const status = asked.query["status"] as AlertStatus | undefined;
      const { storage } = asked.mesher;
      const orgId = membership.organisation.id;
      const page = await storage.alerts(orgId, project.id, status, { limit: 50 });
      return { json: page.rows.map(alertShape) };
    },
  },
  alertRoute(
    "acknowledge",
    "Active becomes acknowledged.",
    (asked, orgId, id) => asked.mesher.storage.acknowledgeAlert(orgId, id),
  ),
  alertRoute(
    "resolve",
    "Active or acknowledged becomes resolved.",
    (asked, orgId, id) => asked.mesher.storage.resolveAlert(orgId, id),
  ),
];

type Change = (
  asked: Asked,
  orgId: string,
  alertId: string,
) => Promise<Result<Alert, "no_alert" | "wrong_state">>;

function alertRoute(verb: string, about: string, change: Change): Route {
  return {
    method: "POST",
    path: `/api/v1/alerts/:alert_id/${verb}`,
    name: `${verb}Alert`,
    about,
    access: "user",
    ok: 200,
    errors: [401, 404],
    gives: '{"status":"ok","affected"}',
    async handle(asked): Promise<Reply> {
      const id = asked.params["alert_id"]!;
      for (const { organisation } of membershipsOf(asked)) {
        const done = await change(asked, organisation.id, id);
        if (done.ok) return affected(true);
        if (done.reason === "wrong_state") return affected(false);
      }
      throw new Refusal(404, "alert not found");
    },
  };
}

function valid<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Refusal(400, parsed.reason);
  return parsed.value;
}
