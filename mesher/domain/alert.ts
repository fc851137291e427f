/**
 * Alert rules: parses their conditions, evaluates them, and writes the text of alerts.
 *
 * ```
 * {"condition_type": "threshold", "threshold": 100, "window_minutes": 5}
 * {"condition_type": "new_issue"}    {"condition_type": "regression"}    {"condition_type": "spike"}
 * ```
 *
 * @module
 */
import { unreachable } from "./assert.ts";
import type { Level } from "./event.ts";
import { cut, objectOf, refuse } from "./trim.ts";

/** The condition of a rule. */
export type Condition =
  | { readonly kind: "threshold"; readonly count: number; readonly windowMinutes: number }
  | { readonly kind: "new_issue" }
  | { readonly kind: "regression" }
  | { readonly kind: "spike" };

/** The action of a rule. */
export type Action =
  | { readonly kind: "websocket" }
  | { readonly kind: "webhook" | "slack" | "discord"; readonly url: string }
  | { readonly kind: "email"; readonly to: readonly string[] };

/** The kinds of actions. */
export const ACTION_KINDS = ["websocket", "webhook", "slack", "discord", "email"] as const;

/** A change of an issue, or a number of events, that may meet the condition of a rule. */
export type AlertTrigger =
  | {
    readonly kind: "new_issue" | "regression" | "spike";
    readonly title: string;
    /** The level of the event that caused the change, if known. */
    readonly level?: Level;
  }
  /** The number of events of the project within the window of a rule. */
  | { readonly kind: "count"; readonly count: number };

/** The result of parsing: a value, or the reason why the input is invalid. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

/** Maximum threshold of an alert rule, in events. */
export const THRESHOLD_MAX = 1_000_000_000;
/** Maximum window of an alert rule: a week, in minutes. */
export const WINDOW_MINUTES_MAX = 10_080;
/** Maximum cooldown of an alert rule: thirty days, in minutes. */
export const COOLDOWN_MINUTES_MAX = 43_200;
const URL_CHARS_MAX = 2_048;
const MESSAGE_CHARS_MAX = 512;
/** Maximum number of mail addresses that a rule notifies. */
export const RECIPIENTS_MAX = 20;

/** Parses a condition from JSON. */
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

/** Converts a condition to JSON. */
export function conditionJson(condition: Condition): Readonly<Record<string, unknown>> {
  return condition.kind === "threshold"
    ? {
      condition_type: "threshold",
      threshold: condition.count,
      window_minutes: condition.windowMinutes,
    }
    : { condition_type: condition.kind };
}

/** Parses an action from JSON. Default: only users of the page are notified. */
export function actionFrom(input: unknown): Parsed<Action> {
  if (input === undefined || input === null) return { ok: true, value: { kind: "websocket" } };
  const raw = objectOf(input);
  const kind = ACTION_KINDS.find((one) => one === raw?.["type"]);
  switch (kind) {
    case undefined:
      return refuse(`action.type must be one of ${ACTION_KINDS.join(", ")}`);
    case "websocket":
      return { ok: true, value: { kind } };
    case "webhook":
    case "slack":
    case "discord": {
      const url = urlFrom(raw!["url"]);
      return url.ok ? { ok: true, value: { kind, url: url.value } } : url;
    }
    case "email": {
      const to = recipientsFrom(raw!["to"]);
      return to.ok ? { ok: true, value: { kind, to: to.value } } : to;
    }
    default:
      return unreachable(kind);
  }
}

function urlFrom(url: unknown): Parsed<string> {
  const parsed = typeof url === "string" && url.length <= URL_CHARS_MAX ? URL.parse(url) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    return refuse("action.url must be an http or https address");
  }
  if (parsed.username !== "" || parsed.password !== "") {
    return refuse("action.url must not contain a name or password: put a token into its path");
  }
  return { ok: true, value: parsed.href };
}

/** Parses addresses from a list, or from a comma-separated text. */
function recipientsFrom(input: unknown): Parsed<readonly string[]> {
  const list = typeof input === "string" ? input.split(",") : input;
  const to = Array.isArray(list)
    ? list.map((one) => typeof one === "string" ? one.trim() : "").filter((one) => one !== "")
    : [];
  const isRight = to.length > 0 && to.length <= RECIPIENTS_MAX && to.every(isMailAddress);
  return isRight
    ? { ok: true, value: to }
    : refuse(`action.to must be 1 to ${RECIPIENTS_MAX} mail addresses`);
}

/**
 * Returns whether a text is one mail address, without characters that could form another header or
 * a list.
 */
export function isMailAddress(text: string): boolean {
  return text.length <= 254 &&
    /^[^\s@\p{C}<>"(),:;\[\]\\]+@[^\s@\p{C}<>"(),:;\[\]\\]+$/u.test(text);
}

/** Converts an action to JSON. */
export function actionJson(action: Action): Readonly<Record<string, unknown>> {
  switch (action.kind) {
    case "websocket":
      return { type: action.kind };
    case "webhook":
    case "slack":
    case "discord":
      return { type: action.kind, url: action.url };
    case "email":
      return { type: action.kind, to: action.to };
    default:
      return unreachable(action);
  }
}

/** Parses a cooldown from JSON. Default: an hour. */
export function cooldownFrom(input: unknown): Parsed<number> {
  if (input === undefined || input === null) return { ok: true, value: 60 };
  return isWhole(input, 0, COOLDOWN_MINUTES_MAX)
    ? { ok: true, value: input }
    : refuse(`cooldown_minutes must be a whole number from 0 to ${COOLDOWN_MINUTES_MAX}`);
}

/**
 * Returns whether a change meets a condition. Does not check the cooldown, because the storage
 * checks it for all nodes.
 */
export function isMet(condition: Condition, trigger: AlertTrigger): boolean {
  switch (condition.kind) {
    case "threshold":
      return trigger.kind === "count" && trigger.count > condition.count;
    case "new_issue":
    case "regression":
    case "spike":
      return trigger.kind === condition.kind;
    default:
      return unreachable(condition);
  }
}

/** Returns the text of an alert. */
export function alertMessage(condition: Condition, trigger: AlertTrigger): string {
  const title = trigger.kind === "count" ? "" : trigger.title;
  const counted = trigger.kind === "count" ? trigger.count : 0;
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
