/**
 * The table of a state machine without the types of its protocol: its states and rules, the check
 * of a definition, and the diagram. Deterministic.
 *
 * @module
 */
import { describe } from "../actor/describe.ts";
import { ArgumentError } from "../actor/errors.ts";
import { timerMs } from "../actor/timer.ts";
import { checkNames } from "../base/spelling.ts";
import type { ExitReason } from "../term/exit.ts";
import type { AnyDefinition, ServiceActor } from "./service_actor.ts";
import type { Later } from "./service_definition.ts";
import type { MachineDefinition, MachineProtocol } from "./state_machine_definition.ts";

export interface Effects {
  readonly data?: unknown;
  readonly to?: string;
  readonly next?: readonly [string, ...unknown[]];
  readonly timeouts?: Readonly<Record<string, number | undefined>>;
  readonly stop?: ExitReason;
  readonly reply?: unknown;
  readonly noReply?: true;
}

export type Run = (this: ServiceActor, data: unknown, ...args: unknown[]) => Later<Effects | void>;
export type Rule =
  | string
  | Run
  | { readonly postpone: true }
  | { readonly to: string | readonly string[]; readonly run?: Run; readonly ms?: number };

export interface Rules {
  readonly on?: Readonly<Record<string, Rule>>;
  readonly timeouts?: Readonly<Record<string, Rule>>;
  readonly after?: { readonly ms: number; readonly to: string | readonly string[] };
  readonly idle?: { readonly ms: number; readonly to: string | readonly string[] };
  readonly enter?: (this: ServiceActor, data: unknown) => Effects | void;
  readonly exit?: (this: ServiceActor, data: unknown) => unknown;
}

export interface Definition {
  readonly name?: string;
  readonly initial: string;
  readonly data: (this: ServiceActor, ...args: unknown[]) => unknown;
  readonly states: Readonly<Record<string, Rules>>;
  readonly any?: Rules;
  readonly persist?: AnyDefinition["persist"];
}

/** The names of all members of a definition, to detect misspelt ones. */
const DEFINITION: Readonly<Record<keyof MachineDefinition<MachineProtocol>, true>> = {
  name: true,
  initial: true,
  data: true,
  states: true,
  any: true,
  persist: true,
};

const STATE: Readonly<Record<keyof Rules, true>> = {
  on: true,
  timeouts: true,
  after: true,
  idle: true,
  enter: true,
  exit: true,
};

/** The names of all effects, to detect misspelt ones. */
export const EFFECTS: Readonly<Record<keyof Effects, true>> = {
  data: true,
  to: true,
  next: true,
  timeouts: true,
  stop: true,
  reply: true,
  noReply: true,
};

/**
 * Returns the rule of an event or a timeout. Inherited properties such as `toString` are not rules.
 */
export function ruleOf(
  rules: Readonly<Record<string, Rule>> | undefined,
  name: string,
): Rule | undefined {
  return rules !== undefined && Object.hasOwn(rules, name) ? rules[name] : undefined;
}

/** Returns the possible next states of a rule. */
export function targetsOf(rule: Rule): readonly string[] {
  if (typeof rule === "string") return [rule];
  if (typeof rule === "function" || "postpone" in rule) return [];
  return typeof rule.to === "string" ? [rule.to] : rule.to;
}

/** Returns the next state of a rule if its handler does not choose one. */
export function defaultTarget(rule: Rule): string | undefined {
  if (typeof rule === "string") return rule;
  return typeof rule === "object" && "to" in rule && typeof rule.to === "string"
    ? rule.to
    : undefined;
}

/** Throws unless a definition is valid. */
export function checkDefinition({ initial, data, states, any, ...rest }: Definition): void {
  const bad = (words: string): ArgumentError => new ArgumentError(`stateMachine: ${words}`);
  checkNames({ initial, data, states, ...rest }, DEFINITION, bad);
  if (typeof data !== "function") throw bad("data must be a function that returns the first data");
  if (typeof states !== "object" || states === null) throw bad("states must be an object");
  if (!Object.hasOwn(states, initial)) {
    throw bad(`initial is ${JSON.stringify(initial)}, which is not a state`);
  }
  for (const [name, rules] of Object.entries({ ...states, ...any && { "(any)": any } })) {
    checkNames(rules, STATE, (words) => bad(`state ${name}: ${words}`));
    const { on, timeouts, after, idle } = rules;
    for (const kind of ["on", "timeouts"] as const) {
      const given: unknown = rules[kind];
      if (given === undefined || typeof given === "object" && given !== null) continue;
      throw bad(`${kind} of ${name} is ${describe(given)}: use an object of rules`);
    }
    for (const kind of ["enter", "exit"] as const) {
      if (rules[kind] === undefined || typeof rules[kind] === "function") continue;
      throw bad(`${kind} of ${name} is ${describe(rules[kind])}: use a function`);
    }
    for (const [event, rule] of Object.entries({ ...on, ...timeouts, after, idle })) {
      if (rule === undefined) continue;
      const words = ruleFault(rule);
      if (words !== undefined) throw bad(`${event} of ${name} ${words}`);
      for (const to of targetsOf(rule)) {
        if (Object.hasOwn(states, to)) continue;
        throw bad(`${event} of ${name} goes to ${JSON.stringify(to)}, which is not a state`);
      }
    }
    for (const timeout of [after, idle]) if (timeout !== undefined) timerMs(timeout.ms);
  }
}

/** Describes the fault in the form of a rule. Returns undefined if the form is valid. */
function ruleFault(rule: unknown): string | undefined {
  if (typeof rule === "string" || typeof rule === "function") return undefined;
  const { postpone, to, run } = (rule ?? {}) as Record<string, unknown>;
  if (typeof rule !== "object" || postpone !== true && typeof to !== "string" && !isTexts(to)) {
    return `is ${describe(rule)}: use a state, a function, { to, run } or { postpone: true }`;
  }
  if (run === undefined || typeof run === "function") return undefined;
  return `has ${describe(run)} as run: use a function`;
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

/** Returns the states and events as a Mermaid state diagram. */
export function diagramOf({ initial, states, any }: Definition): string {
  const lines = ["stateDiagram-v2", `  [*] --> ${initial}`];
  for (const [state, rules] of Object.entries(states)) {
    const arrows: [string, Rule][] = [
      ...Object.entries({ ...any?.on, ...rules.on }),
      ...Object.entries({ ...any?.timeouts, ...rules.timeouts }),
    ];
    if (rules.after) arrows.push([`after ${rules.after.ms} ms`, rules.after]);
    if (rules.idle) arrows.push([`idle for ${rules.idle.ms} ms`, rules.idle]);
    for (const [label, rule] of arrows) {
      const targets = targetsOf(rule);
      for (const to of targets) lines.push(`  ${state} --> ${to}: ${label}`);
    }
    if (arrows.every(([, rule]) => targetsOf(rule).length === 0)) {
      lines.push(`  ${state} --> [*]`);
    }
  }
  return lines.join("\n");
}
