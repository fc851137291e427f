/**
 * Alert rules: their conditions as clients write them, whether one is met, and what an alert says.
 *
 * ```
 * {"condition_type": "threshold", "threshold": 100, "window_minutes": 5}
 * {"condition_type": "new_issue"}    {"condition_type": "regression"}    {"condition_type": "spike"}
 * ```
 *
 * @module
 */
import { unreachable } from "./assert.ts";
import { cut, objectOf, refuse } from "./trim.ts";

/** When a rule fires. */
export type Condition =
  | { readonly kind: "threshold"; readonly count: number; readonly windowMinutes: number }
  | { readonly kind: "new_issue" }
  | { readonly kind: "regression" }
  | { readonly kind: "spike" };

/** What a rule does. */
export type Action =
  | { readonly kind: "websocket" }
  | { readonly kind: "webhook"; readonly url: string };

/** What just happened, for the rules that wait for it. */
export type Happening =
  | { readonly kind: "new_issue" | "regression" | "spike"; readonly title: string }
  /** Events of the project within a rule's window. */
  | { readonly kind: "count"; readonly count: number };

/** A value, or what is wrong with it. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

/** A threshold is at most this. */
export const THRESHOLD_MAX = 1_000_000_000;
/** A window is at most a week. */
export const WINDOW_MINUTES_MAX = 10_080;
/** A cooldown is at most thirty days. */
export const COOLDOWN_MINUTES_MAX = 43_200;
const URL_CHARS_MAX = 2_048;
const MESSAGE_CHARS_MAX = 512;

/** A condition from JSON. */
export function conditionFrom(input: unknown): Parsed<Condition> {
  const raw = objectOf(input);
  if (raw === null) return refuse("condition must be an object");
  const kind = raw["condition_type"];
  if (kind === "new_issue" || kind === "regression" || kind === "spike") {
    return { ok: true, value: { kind } };
  }
  if (kind !== "threshold") {
    return refuse("condition_type must be one of threshold, new_issue, regression, spike");
  }
  const count = raw["threshold"];
  if (!isWhole(count, 1, THRESHOLD_MAX)) {
    return refuse(`threshold must be a whole number from 1 to ${THRESHOLD_MAX}`);
  }
  const windowMinutes = raw["window_minutes"];
  if (!isWhole(windowMinutes, 1, WINDOW_MINUTES_MAX)) {
    return refuse(`window_minutes must be a whole number from 1 to ${WINDOW_MINUTES_MAX}`);
  }
  return { ok: true, value: { kind, count, windowMinutes } };
}

/** A condition as JSON. */
export function conditionJson(condition: Condition): Readonly<Record<string, unknown>> {
  return condition.kind === "threshold"
    ? {
      condition_type: "threshold",
      threshold: condition.count,
      window_minutes: condition.windowMinutes,
    }
    : { condition_type: condition.kind };
}

/** An action from JSON; absent: to the page. */
export function actionFrom(input: unknown): Parsed<Action> {
  if (input === undefined || input === null) return { ok: true, value: { kind: "websocket" } };
  const raw = objectOf(input);
  if (raw?.["type"] === "websocket") return { ok: true, value: { kind: "websocket" } };
  if (raw?.["type"] !== "webhook") return refuse("action.type must be websocket or webhook");
  const url = raw["url"];
  const parsed = typeof url === "string" && url.length <= URL_CHARS_MAX ? URL.parse(url) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    return refuse("action.url must be an http or https address");
  }
  if (parsed.username !== "" || parsed.password !== "") {
    return refuse("action.url must not hold a name or password: put a token into its path");
  }
  return { ok: true, value: { kind: "webhook", url: parsed.href } };
}

/** An action as JSON. */
export function actionJson(action: Action): Readonly<Record<string, unknown>> {
  return action.kind === "webhook" ? { type: "webhook", url: action.url } : { type: action.kind };
}

/** A cooldown from JSON; absent: an hour. */
export function cooldownFrom(input: unknown): Parsed<number> {
  if (input === undefined || input === null) return { ok: true, value: 60 };
  return isWhole(input, 0, COOLDOWN_MINUTES_MAX)
    ? { ok: true, value: input }
    : refuse(`cooldown_minutes must be a whole number from 0 to ${COOLDOWN_MINUTES_MAX}`);
}

/** Whether what happened meets the condition. The cooldown is storage's, which decides for all nodes. */
export function isMet(condition: Condition, happening: Happening): boolean {
  switch (condition.kind) {
    case "threshold":
      return happening.kind === "count" && happening.count > condition.count;
    case "new_issue":
    case "regression":
    case "spike":
      return happening.kind === condition.kind;
    default:
      return unreachable(condition);
  }
}

/** What the alert says. */
export function alertMessage(condition: Condition, happening: Happening): string {
  const title = happening.kind === "count" ? "" : happening.title;
  const counted = happening.kind === "count" ? happening.count : 0;
  switch (condition.kind) {
    case "threshold":
      return `${counted} events in ${condition.windowMinutes} min, more than ${condition.count}`;
    case "new_issue":
      return cut(`New issue: ${title}`, MESSAGE_CHARS_MAX);
    case "regression":
      return cut(`Resolved issue came back: ${title}`, MESSAGE_CHARS_MAX);
    case "spike":
      return cut(`Archived issue spikes: ${title}`, MESSAGE_CHARS_MAX);
    default:
      return unreachable(condition);
  }
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max;
}
