/**
 * Fires alert rules. The storage decides in one transaction whether the cooldown of a rule is over,
 * and which of several nodes fires it. This file asks the storage and sends the notifications.
 *
 * @module
 */
import { alertMessage, type AlertTrigger, conditionJson, isMet } from "../domain/alert.ts";
import type { Parts } from "../parts.ts";
import { type Notification, outgoingOf } from "../domain/notification.ts";
import type { Attempt } from "../pipeline/webhook.ts";
import { attemptOutgoing, WEBHOOKS, webhooks } from "./notifier.ts";
import type { AlertRule } from "../storage/alert_rules.ts";
import type { Alert } from "../storage/alerts.ts";
import { iso } from "../pipeline/time.ts";

/** Time for which the rules of a project are cached, in milliseconds. */
const RULES_MS = 2_000;
/** Maximum number of projects in the cache. When it is exceeded, the cache is cleared. */
const RULES_MAX = 10_000;

/** Fires alert rules on one node, and caches the rules of projects. */
export class Alarm {
  readonly #parts: Parts;
  readonly #rules = new Map<string, { until: number; rules: readonly AlertRule[] }>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Fires those rules of a project whose condition `trigger` meets. */
  async happened(projectId: string, issueId: string | null, trigger: AlertTrigger): Promise<void> {
    for (const rule of await this.#rulesOf(projectId)) {
      if (isMet(rule.condition, trigger)) await this.fire(rule, issueId, trigger);
    }
  }

  /** Fires one rule, whose condition is met. */
  async fire(rule: AlertRule, issueId: string | null, trigger: AlertTrigger): Promise<void> {
    const { node, storage, live, counters, now } = this.#parts;
    const message = alertMessage(rule.condition, trigger);
    const alert = await storage.fireAlert({ ruleId: rule.id, issueId, message, now: now() });
    if (alert === null) return;
    counters.add("alerts");
    const json = alertJson(alert);
    live.tell(alert.projectId, json);
    const level = trigger.kind === "count" ? "warning" : trigger.level ?? "error";
    const note = await this.#noteOf(rule, { issueId, level, text: alert.message, json });
    const outgoing = outgoingOf(rule.action, note);
    if (outgoing === null) return;
    webhooks.cast(webhooks.at(node, WEBHOOKS)).post({ ruleId: rule.id, outgoing });
  }

  /** Sends a test alert of the rule, once, and returns the result. */
  async test(rule: AlertRule): Promise<Attempt> {
    const text = `Test of the rule “${rule.name}”`;
    const json = { type: "alert", test: true, rule_id: rule.id, rule_name: rule.name };
    const note = await this.#noteOf(rule, { issueId: null, level: "info", text, json });
    const outgoing = outgoingOf(rule.action, note);
    if (outgoing !== null) {
      return await attemptOutgoing(outgoing, this.#parts.config, new AbortController().signal);
    }
    this.#parts.live.tell(rule.projectId, { ...json, message: text, project_id: rule.projectId });
    return { kind: "delivered" };
  }

  async #noteOf(
    rule: AlertRule,
    { issueId, ...rest }: Pick<Notification, "level" | "text" | "json"> & {
      issueId: string | null;
    },
  ): Promise<Notification> {
    const { storage, config, place } = this.#parts;
    const page = config.publicUrl ?? place.url;
    const path = issueId === null ? "alerts" : `issues/${issueId}`;
    const project = await storage.projectById(rule.projectId);
    return {
      rule: rule.name,
      project: project?.name ?? "a project",
      link: page === null ? null : `${page}/#/${path}`,
      ...rest,
    };
  }

  async #rulesOf(projectId: string): Promise<readonly AlertRule[]> {
    const now = this.#parts.now();
    const known = this.#rules.get(projectId);
    if (known !== undefined && known.until > now) return known.rules;
    if (this.#rules.size >= RULES_MAX) this.#rules.clear();
    const rules = await this.#parts.storage.enabledAlertRules(projectId);
    this.#rules.set(projectId, { until: now + RULES_MS, rules });
    return rules;
  }
}

function alertJson(alert: Alert): Readonly<Record<string, unknown>> {
  return {
    type: "alert",
    alert_id: alert.id,
    rule_id: alert.ruleId,
    rule_name: alert.ruleName,
    project_id: alert.projectId,
    issue_id: alert.issueId,
    condition: conditionJson(alert.condition),
    message: alert.message,
    triggered_at: iso(alert.triggeredAt),
  };
}
