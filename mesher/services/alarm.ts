/**
 * Fires alert rules. Which of several nodes fires, and whether the cooldown is over, storage decides in one
 * step; this asks it, and tells who is to know.
 *
 * @module
 */
import { alertMessage, conditionJson, type Happening, isMet } from "../domain/alert.ts";
import type { Parts } from "../parts.ts";
import { WEBHOOKS, webhooks } from "./webhooks.ts";
import type { AlertRule } from "../storage/alert_rules.ts";
import type { Alert } from "../storage/alerts.ts";
import { iso } from "../pipeline/time.ts";

/** Rules of a project are remembered for this long. Milliseconds. */
const RULES_MS = 2_000;
/** At most so many projects' rules; then all are forgotten. */
const RULES_MAX = 10_000;

/** Fires rules. */
export class Alarm {
  readonly #parts: Parts;
  readonly #rules = new Map<string, { until: number; rules: readonly AlertRule[] }>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Fires the rules of a project that wait for this. */
  async happened(projectId: string, issueId: string | null, happening: Happening): Promise<void> {
    for (const rule of await this.#rulesOf(projectId)) {
      if (isMet(rule.condition, happening)) await this.fire(rule, issueId, happening);
    }
  }

  /** Fires one rule whose condition is met. */
  async fire(rule: AlertRule, issueId: string | null, happening: Happening): Promise<void> {
    const { node, storage, live, counters, now } = this.#parts;
    const message = alertMessage(rule.condition, happening);
    const alert = await storage.fireAlert({ ruleId: rule.id, issueId, message, now: now() });
    if (alert === null) return;
    counters.add("alerts");
    const json = alertJson(alert);
    live.tell(alert.projectId, json);
    if (rule.action.kind !== "webhook") return;
    const delivery = { ruleId: rule.id, url: rule.action.url, json: JSON.stringify(json) };
    webhooks.cast(webhooks.at(node, WEBHOOKS)).post(delivery);
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
