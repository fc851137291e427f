/**
 * A small local `@std/cli/parse-args`: the options that this project uses, on `node:util`.
 *
 * It knows flat names only, and leaves out what we never ask for: dotted names, `stopEarly`, and
 * `boolean: true`.
 *
 * @module
 */
import { parseArgs as tokenize } from "node:util";

/** What the command line said, by the full name of each option. */
export type Args<Flags = Record<string, unknown>, DoubleDash = undefined> =
  & Record<string, unknown>
  & Flags
  & { _: (string | number)[] }
  & (DoubleDash extends true ? { "--": string[] } : unknown);

/** One name or several. */
type Names<Name extends string> = Name | readonly Name[];

/** Which options there are. */
export interface ParseOptions<
  Strings extends string = string,
  Booleans extends string = string,
  Collected extends string = string,
  Negatable extends string = string,
  Defaults extends object = object,
  DoubleDash extends boolean | undefined = boolean | undefined,
> {
  /** Options with a value. */
  string?: Names<Strings>;
  /** Options without one; false unless given. */
  boolean?: Names<Booleans>;
  /** Options whose every occurrence counts: a list, empty unless given. */
  collect?: Names<Collected>;
  /** Options that `--no-name` sets to false. */
  negatable?: Names<Negatable>;
  /** The value of an option that is not given. */
  default?: Defaults & Partial<Record<Strings | Booleans, unknown>>;
  /** Other names of an option. */
  alias?: Readonly<Record<string, string | readonly string[]>>;
  /** Whether what follows `--` goes into a list of its own. */
  "--"?: DoubleDash;
  /** Told of an argument that is no known option; `false` keeps it out of the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The value of an option by its name: what it is, and what it is when it is not given. */
type Flags<Strings, Booleans, Collected, Negatable, Defaults> =
  & {
    [Name in Strings & string]: Name extends Collected ? string[]
      :
        | string
        | (Name extends Negatable ? false : never)
        | (Name extends keyof Defaults ? Defaults[Name] : undefined);
  }
  & { [Name in Booleans & string]: Name extends Collected ? boolean[] : boolean };

/** Reads a command line. */
export function parseArgs<
  const Strings extends string = never,
  const Booleans extends string = never,
  const Collected extends string = never,
  const Negatable extends string = never,
  Defaults extends object = Record<never, never>,
  const DoubleDash extends boolean | undefined = undefined,
>(
  args: string[],
  options: ParseOptions<Strings, Booleans, Collected, Negatable, Defaults, DoubleDash> = {},
): Args<Flags<Strings, Booleans, Collected, Negatable, Defaults>, DoubleDash> {
  const strings = listOf(options.string);
  const booleans = listOf(options.boolean);
  const collected = listOf(options.collect);
  const negatable = listOf(options.negatable);
  const fullName = new Map<string, string>();
  for (const [name, others] of Object.entries(options.alias ?? {})) {
    for (const other of listOf(others)) fullName.set(other, name);
  }
  const positional: (string | number)[] = [];
  const rest: string[] = [];
  const out: Record<string, unknown> = { ...options.default, _: positional };

  const set = (name: string, value: unknown, arg: string): void => {
    const known = strings.includes(name) || booleans.includes(name) || collected.includes(name) ||
      negatable.includes(name) || Object.values(options.alias ?? {}).flat().includes(name) ||
      name in (options.alias ?? {});
    if (!known && options.unknown?.(arg, name, value) === false) return;
    if (!collected.includes(name)) out[name] = value;
    else if (seen.has(name)) (out[name] as unknown[]).push(value);
    else out[name] = [value];
    seen.add(name);
  };
  const seen = new Set<string>();

  const names = [...fullName.keys(), ...strings, ...booleans];
  const declared = Object.fromEntries(names.map((name) => {
    const full = fullName.get(name) ?? name;
    return [name, {
      type: strings.includes(full) ? "string" as const : "boolean" as const,
      ...(name.length === 1 ? { short: name } : {}),
    }];
  }));
  const { tokens } = tokenize({ args, options: declared, strict: false, tokens: true });
  let behindDashes = false;
  for (const token of tokens) {
    if (token.kind === "option-terminator") behindDashes = true;
    else if (token.kind === "positional") {
      const { value } = token;
      if (behindDashes && options["--"]) rest.push(value);
      else if (behindDashes || options.unknown?.(value) !== false) positional.push(numeric(value));
    } else {
      const name = fullName.get(token.name) ?? token.name;
      const plain = name.replace(/^no-/, "");
      if (plain !== name && negatable.includes(plain)) set(plain, false, token.rawName);
      else if (booleans.includes(name)) set(name, token.value !== "false", token.rawName);
      else if (strings.includes(name)) set(name, token.value ?? "", token.rawName);
      else set(name, token.value === undefined ? true : numeric(token.value), token.rawName);
    }
  }
  for (const name of booleans) if (!(name in out)) out[name] = false;
  for (const name of collected) if (!seen.has(name) && !(out[name])) out[name] = [];
  for (const [other, name] of fullName) if (name in out) out[other] = out[name];
  if (options["--"]) out["--"] = rest;
  return out as Args<Flags<Strings, Booleans, Collected, Negatable, Defaults>, DoubleDash>;
}

function listOf<Name extends string>(names: Names<Name> | undefined): readonly string[] {
  return names === undefined ? [] : typeof names === "string" ? [names] : names;
}

/** A number where the text reads as one, as the genuine package gives for undeclared names. */
function numeric(text: string): string | number {
  return /^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$/.test(text) ? Number(text) : text;
}
