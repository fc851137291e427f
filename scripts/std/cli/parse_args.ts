/**
 * A small local `@std/cli/parse-args` with the features that this project uses.
 *
 * It omits the others: dotted names, `stopEarly`, `boolean: true`, and a number directly after a
 * letter (`-p80`). `parseArgs` of `node:util` would read `--name --other` as a name "--other",
 * unlike the original package.
 *
 * @module
 */

/** The values of the command line, by the full name of each option. */
export type Args<Flags = Record<string, unknown>, DoubleDash = undefined> =
  & Record<string, unknown>
  & Flags
  & { _: (string | number)[] }
  & (DoubleDash extends true ? { "--": string[] } : unknown);

/** One name or several. */
type Names<Name extends string> = Name | readonly Name[];

/** The specification of the options. */
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
  /** Options without a value; false unless given. */
  boolean?: Names<Booleans>;
  /** Options that may occur several times: a list, empty by default. */
  collect?: Names<Collected>;
  /** Options that `--no-name` sets to false. */
  negatable?: Names<Negatable>;
  /** Default values of options. */
  default?: Defaults;
  /** Aliases of options. */
  alias?: Readonly<Record<string, string | readonly string[]>>;
  /** Whether arguments after `--` are returned in a separate list. */
  "--"?: DoubleDash;
  /** Called with an unknown option; returning `false` omits it from the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The type of an option's value, and of its default. */
type Flags<Strings, Booleans, Collected, Negatable, Defaults> =
  & {
    [Name in Strings & string]: Name extends Collected ? string[]
      :
        | string
        | (Name extends Negatable ? false : never)
        | (Name extends keyof Defaults ? Defaults[Name] : undefined);
  }
  & { [Name in Booleans & string]: Name extends Collected ? boolean[] : boolean };

/** Parses a command line. */
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
  const spellings = new Map<string, string[]>();
  for (const [name, others] of Object.entries(options.alias ?? {})) {
    const all = [name, ...listOf(others)];
    for (const spelling of all) spellings.set(spelling, all);
  }
  const allOf = (name: string): string[] => spellings.get(name) ?? [name];
  const setOf = (names: Names<string> | undefined): Set<string> =>
    new Set(listOf(names).flatMap(allOf));
  const strings = setOf(options.string);
  const booleans = setOf(options.boolean);
  const collected = setOf(options.collect);
  const negatable = setOf(options.negatable);

  const positional: (string | number)[] = [];
  const out: Record<string, unknown> = { _: positional };

  const set = (arg: string, name: string, given: string | boolean): void => {
    const known = strings.has(name) || booleans.has(name) || spellings.has(name);
    if (!known && options.unknown?.(arg, name, given) === false) return;
    const value = typeof given === "string" && !strings.has(name) ? numeric(given) : given;
    for (const spelling of allOf(name)) {
      if (collected.has(spelling)) out[spelling] = [...(out[spelling] as [] ?? []), value];
      else out[spelling] = value;
    }
  };

  const end = args.includes("--") ? args.indexOf("--") : args.length;
  for (let i = 0; i < end; i++) {
    const arg = args[i]!;
    const next = i + 1 < end ? args[i + 1]! : "-";
    const [, dashes, name = "", , value] = /^(--?)([^=]+)(=(.+))?$/s.exec(arg) ?? [];
    if (dashes === undefined) {
      if (options.unknown?.(arg) !== false) positional.push(strings.has("_") ? arg : numeric(arg));
      continue;
    }
    const letters = dashes === "-" ? [...name] : [name];
    const last = letters.pop()!;
    for (const letter of letters) set(arg, letter, strings.has(letter) ? "" : true);
    const plain = last.replace(/^no-/, "");
    if (value !== undefined) set(arg, last, booleans.has(last) ? value !== "false" : value);
    else if (dashes === "--" && plain !== last && negatable.has(plain)) set(arg, plain, false);
    else if (booleans.has(last) && (next === "true" || next === "false")) {
      set(arg, last, next === "true");
      i++;
    } else if (!booleans.has(last) && !next.startsWith("-")) {
      set(arg, last, next);
      i++;
    } else set(arg, last, strings.has(last) ? "" : true);
  }

  for (const [name, value] of Object.entries(options.default ?? {})) {
    for (const spelling of allOf(name)) out[spelling] ??= value;
  }
  for (const name of booleans) out[name] ??= collected.has(name) ? [] : false;
  for (const name of strings) if (collected.has(name)) out[name] ??= [];
  if (options["--"]) out["--"] = args.slice(end + 1);
  else positional.push(...args.slice(end + 1));
  return out as Args<Flags<Strings, Booleans, Collected, Negatable, Defaults>, DoubleDash>;
}

function listOf<Name extends string>(names: Names<Name> | undefined): readonly Name[] {
  return names === undefined ? [] : typeof names === "string" ? [names] : names;
}

/** Returns the number if the text is one, and otherwise the text. */
function numeric(text: string): string | number {
  const reads = /^0x[0-9a-f]+$|^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$/i.test(text);
  return reads ? Number(text) : text;
}
