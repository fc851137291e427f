/**
 * Routes of alert rules, and of the alerts that they have fired.
 *
 * @module
 */
import { isInsideHost } from "../../domain/address.ts";
import { timeFrom } from "../../domain/parts.ts";
import {
  type Action,
  actionFrom,
  conditionFrom,
  cooldownFrom,
  type Parsed,
} from "../../domain/alert.ts";
import { type Alert, ALERT_STATUSES, type AlertStatus } from "../../storage/alerts.ts";
import type { Result } from "../../storage/result.ts";
import { changeRoute } from "../change.ts";
import { Alarm } from "../../services/alarm.ts";
import { mustFit, mustWait } from "../quota.ts";
import { HttpError } from "../http_error.ts";
import type { Reply, Route, RouteInput } from "../route.ts";
import { inScope, isManager, mustManage, personIn, projectPlaceOf } from "../scope.ts";
import { alertShape, ruleShape } from "../shapes.ts";

const RULE = "alert rule";
/** The states from which an alert can be resolved. */
const UNRESOLVED = ["active", "acknowledged"] as const;

/** The routes of alerts. */
export const alertRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/alert-rules",
    name: "listAlertRules",
    about: "Lists the alert rules of a project.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: "[rule]",
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
    about: "Creates a rule. Conditions: threshold (threshold, window_minutes), new_issue, " +
      "regression, spike. Actions: websocket; webhook, slack, discord (url); email (to). " +
      "For owners and admins.",
    access: "user",
    body: {
      name: { type: "string", required: true, max: 200 },
      condition: { type: "object", required: true },
      action: { type: "object" },
      cooldown_minutes: { type: "integer" },
    },
    ok: 201,
    errors: [400, 401, 403, 404, 409],
    returns: '{"id"}',
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      mustManage(membership.role);
      const { body } = asked;
      const { storage } = asked.mesher;
      const orgId = membership.organisation.id;
      const action = checkedAction(asked, valid(actionFrom(body["action"])));
      const rule = {
        projectId: project.id,
        name: body["name"] as string,
        condition: valid(conditionFrom(body["condition"])),
        action,
        cooldownMinutes: valid(cooldownFrom(body["cooldown_minutes"])),
      };
      const rules = await storage.alertRules(orgId, project.id);
      mustFit("alert rules of one project", rules.length);
      const made = await storage.createAlertRule(orgId, rule);
      if (!made.ok) throw new HttpError(404, "project not found");
      return { json: { id: made.value.id } };
    },
  },
  changeRoute({
    path: "/api/v1/alert-rules/:rule_id/toggle",
    name: "toggleAlertRule",
    about: "Switches a rule on or off. For owners and admins.",
    body: { enabled: { type: "boolean", about: "default: true" } },
  }, async (asked) => {
    const enabled = (asked.body["enabled"] as boolean | undefined) ?? true;
    const id = asked.params["rule_id"]!;
    const { storage } = asked.mesher;
    const set = (orgId: string) => storage.setAlertRuleEnabled(orgId, id, enabled);
    await inScope(asked, RULE, set, isManager);
    return true;
  }),
  {
    method: "POST",
    path: "/api/v1/alert-rules/:rule_id/test",
    name: "testAlertRule",
    about: "Sends one test notification with the rule's action. For owners and admins.",
    access: "user",
    ok: 200,
    errors: [401, 403, 404, 429],
    returns: '{"delivered","error"}: null, or why it was not delivered',
    async handle(asked): Promise<Reply> {
      const { mesher } = asked;
      const id = asked.params["rule_id"]!;
      const find = (orgId: string) => mesher.storage.alertRule(orgId, id);
      const rule = await inScope(asked, RULE, find, isManager);
      mustWait(mesher.lookups.take(`test ${personIn(asked).user.id}`, mesher.now()));
      const came = await new Alarm(mesher).test(rule);
      const delivered = came.kind === "delivered";
      return { json: { delivered, error: delivered ? null : came.why } };
    },
  },
  changeRoute({
    path: "/api/v1/alert-rules/:rule_id/delete",
    name: "deleteAlertRule",
    about: "Deletes a rule and its alerts. For owners and admins.",
  }, (asked) => {
    const id = asked.params["rule_id"]!;
    const remove = (orgId: string) => asked.mesher.storage.deleteAlertRule(orgId, id);
    return inScope(asked, RULE, remove, isManager);
  }),
  {
    method: "GET",
    path: "/api/v1/projects/:project_id/alerts",
    name: "listAlerts",
    about: "The latest 50 alerts, newest first.",
    access: "user",
    query: { status: { type: "string", enum: ALERT_STATUSES } },
    ok: 200,
    errors: [400, 401, 404],
    returns: "[alert]",
    async handle(asked): Promise<Reply> {
      const { project, membership } = await projectPlaceOf(asked);
      const status = asked.query["status"] as AlertStatus | undefined;
      const { storage } = asked.mesher;
      const orgId = membership.organisation.id;
      const page = await storage.alerts(orgId, project.id, status, { limit: 50 });
      return { json: page.rows.map(alertShape) };
    },
  },
  changeRoute({
    path: "/api/v1/projects/:project_id/alerts/resolve",
    name: "resolveAlerts",
    about: "Resolves all unresolved alerts of a project, or those that the body selects.",
    body: {
      status: { type: "string", enum: UNRESOLVED, about: "only those in this state" },
      until: { type: "string", about: "ISO 8601: alerts that fired later are not resolved" },
    },
  }, async (asked) => {
    const { project, membership } = await projectPlaceOf(asked);
    const { status, until } = asked.body as { status?: typeof UNRESOLVED[number]; until?: string };
    const time = until === undefined ? undefined : timeFrom(until);
    if (time === null) {
      throw new HttpError(400, "until must be a time, such as 2026-01-31T12:00:00Z");
    }
    const { storage } = asked.mesher;
    return await storage.resolveAlerts(membership.organisation.id, project.id, {
      status,
      until: time,
    });
  }),
  alertRoute(
    "acknowledge",
    "Active becomes acknowledged.",
    (asked, orgId, id) => asked.mesher.storage.acknowledgeAlert(orgId, id),
  ),
  alertRoute(
    "resolve",
    "Resolves an active or acknowledged alert.",
    (asked, orgId, id) => asked.mesher.storage.resolveAlert(orgId, id),
  ),
];

type Change = (
  asked: RouteInput,
  orgId: string,
  alertId: string,
) => Promise<Result<Alert, "no_alert" | "wrong_state">>;

function alertRoute(verb: string, about: string, change: Change): Route {
  return changeRoute({
    path: `/api/v1/alerts/:alert_id/${verb}`,
    name: `${verb}Alert`,
    about,
  }, async (asked) => {
    const id = asked.params["alert_id"]!;
    const done = await inScope(asked, "alert", async (orgId) => {
      const result = await change(asked, orgId, id);
      return result.ok || result.reason === "wrong_state" ? result : null;
    });
    return done.ok;
  });
}

/**
 * Checks and returns an action. Throws 400 if mail is not configured, or if a webhook has an
 * internal address. The host name of a webhook is checked when it is resolved.
 */
function checkedAction({ mesher }: RouteInput, action: Action): Action {
  if (action.kind === "email" && mesher.config.mail === null) {
    throw new HttpError(400, "mail cannot be sent: MESHER_SMTP_URL is not set");
  }
  if (!("url" in action)) return action;
  if (!isInsideHost(new URL(action.url).hostname, mesher.config.webhookAllow)) return action;
  throw new HttpError(
    400,
    "action.url is inside this network: MESHER_WEBHOOK_ALLOW may name its host",
  );
}

function valid<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new HttpError(400, parsed.reason);
  return parsed.value;
}
