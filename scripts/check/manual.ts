// deno-lint-ignore-file no-console
/**
 * The rules for the documentation of public symbols, in addition to those of `deno doc --lint`:
 *
 * - a value, or one of its methods, has an example, which runs as a test;
 * - an option states its default, and a number its unit;
 * - a type of string literals explains each of them.
 *
 * @module
 */

/** A part of the output of `deno doc --json`. */
export interface DocSymbol {
  readonly name: string;
  readonly declarations: readonly DocDeclaration[];
}

/** A declaration of a symbol. */
export interface DocDeclaration {
  readonly location: { readonly filename: string; readonly line: number };
  readonly declarationKind: string;
  readonly kind: string;
  readonly jsDoc?: JsDoc;
  readonly def?: {
    readonly properties?: readonly DocProperty[];
    readonly tsType?: DocType;
    readonly methods?: readonly { readonly jsDoc?: JsDoc }[];
  };
}

interface JsDoc {
  readonly doc?: string;
  readonly tags?: readonly { readonly kind: string; readonly doc?: string }[];
}

interface DocProperty {
  readonly name: string;
  readonly optional?: boolean;
  readonly jsDoc?: JsDoc;
  readonly tsType?: DocType;
}

interface DocType {
  readonly kind: string;
  // deno-lint-ignore no-explicit-any -- differs with the kind
  readonly value?: any;
}

/** Kinds of declarations that exist at run time. */
const VALUES = new Set(["function", "class", "variable", "namespace", "enum"]);

/** Types whose optional properties are options. */
const OPTIONS = /(Options|Definition|Rules|Effects|Spec|Limits|Acceptance)$/;

/** Words of a comment that states what applies if the option is not set. */
const DEFAULT_WORDS =
  /\bdefaults?\b|\bwithout\b|\bunless\b|\bomitted\b|\babsent\b|\bunset\b|\bnever set\b|\bonly for a remote child\b/i;

/** Words of a comment that states what a number counts or measures. */
const UNIT_WORDS =
  /\b(milliseconds?|ms|seconds?|minutes?|bytes?|MiB|KiB|number of|how many|count|port|times?|share|fraction|ratio|characters|level|index|seed|offset|sequence|0 to 1|messages|elements|entries|events|nodes|actors|connections|rooms|children|requests|code|keys|names|calls|jobs|attempts|restarts|version|priority|generation|creation|factor|status|window bits)\b/i;

/** Returns the names that a module exports as values, not only as types. */
export function valuesOf(source: string): ReadonlySet<string> {
  const lists = [...source.matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, list]) =>
    list!.split(",").map((name) => name.trim()).filter((name) => !/^type /.test(name))
  );
  const own = source.matchAll(
    /^export (?:default )?(?:abstract )?(?:async )?(?:class|function\*?|const|let|enum|namespace) (\w+)/gm,
  );
  return new Set([...lists, ...[...own].map(([, name]) => name!)].filter(Boolean));
}

/**
 * Returns a line for each violation by the symbols of one entry point. `valueNames` are the names
 * of the symbols that are values.
 */
export function manualProblems(
  symbols: readonly DocSymbol[],
  valueNames: ReadonlySet<string>,
): string[] {
  return symbols.flatMap(({ name, declarations }) => {
    const exported = declarations.filter(({ declarationKind }) => declarationKind === "export");
    const values = exported.filter(({ kind }) => VALUES.has(kind));
    const problems = exported.flatMap((each) => declarationProblems(name, each));
    // If a name has several declarations, such as overloads or a const and a type, it is sufficient
    // that one of them has an example.
    if (values.length > 0 && valueNames.has(name) && !exported.some(hasExample)) {
      problems.unshift(`${at(values[0]!)}: ${name} has no @example`);
    }
    return problems;
  });
}

function declarationProblems(name: string, declaration: DocDeclaration): string[] {
  const { kind, def, jsDoc } = declaration;
  const place = at(declaration);
  if (kind === "typeAlias" && def?.tsType !== undefined) {
    const missing = literalsOf(def.tsType).filter((word) => !names(jsDoc?.doc, word));
    if (missing.length > 0) {
      return [`${place}: the comment of ${name} does not explain ${missing.join(", ")}`];
    }
  }
  if (!OPTIONS.test(name)) return [];
  const properties = kind === "interface"
    ? def?.properties
    : def?.tsType?.kind === "typeLiteral"
    ? def.tsType.value.properties
    : undefined;
  return (properties ?? []).flatMap((property: DocProperty) =>
    propertyProblems(place, name, property)
  );
}

function propertyProblems(place: string, of: string, property: DocProperty): string[] {
  const { name, optional, jsDoc, tsType } = property;
  const doc = jsDoc?.doc ?? "";
  const problems: string[] = [];
  if (optional && !isNever(tsType)) {
    if (!DEFAULT_WORDS.test(doc)) problems.push(`${place}: ${of}.${name} has no default`);
    if (isNumber(tsType) && !UNIT_WORDS.test(doc)) {
      problems.push(`${place}: ${of}.${name} has no unit`);
    }
  }
  const missing = tsType === undefined
    ? []
    : literalsOf(tsType).filter((word) => !names(doc, word));
  if (missing.length > 0) {
    problems.push(`${place}: the comment of ${of}.${name} does not explain ${missing.join(", ")}`);
  }
  return problems;
}

/** Returns the string literals of a union of at least two. */
function literalsOf({ kind, value }: DocType): string[] {
  if (kind !== "union") return [];
  const words = (value as readonly DocType[]).flatMap((each) =>
    each.kind === "literal" && typeof each.value?.string === "string" ? [each.value.string] : []
  );
  return words.length < 2 ? [] : words;
}

function names(doc: string | undefined, word: string): boolean {
  return doc !== undefined && (doc.includes(`"${word}"`) || doc.includes(`\`${word}\``));
}

function isNumber(type: DocType | undefined): boolean {
  if (type?.kind === "union") return type.value.some((each: DocType) => isNumber(each));
  return type?.kind === "keyword" && type.value === "number";
}

/** Returns whether the type of a property forbids the property, so that it must be omitted. */
function isNever(type: DocType | undefined): boolean {
  if (type?.kind === "union") {
    return type.value.every((each: DocType) => isNever(each));
  }
  return type?.kind === "keyword" && (type.value === "never" || type.value === "undefined");
}

/**
 * Returns whether a declaration or one of its methods has an example. That of a method also shows
 * the use of its class.
 */
function hasExample({ jsDoc, def }: DocDeclaration): boolean {
  return [jsDoc, ...(def?.methods ?? []).map((method) => method.jsDoc)].some((each) =>
    each?.tags?.some(({ kind, doc }) => kind === "example" && /^```ts/m.test(doc ?? ""))
  );
}

function at({ location }: DocDeclaration): string {
  return `${location.filename.replace(/^.*?\/(?=lib\/|mod\.ts)/, "")}:${location.line}`;
}

/** Prints the violations of all entry points in `deno.json`, each once. Returns their number. */
function check(): number {
  const { exports } = JSON.parse(Deno.readTextFileSync("deno.json"));
  const problems = new Set<string>();
  for (const path of Object.values<string>(exports)) {
    const args = ["doc", "--json", path];
    const { success, stdout } = new Deno.Command(Deno.execPath(), { args }).outputSync();
    if (!success) throw new Error(`deno doc failed for ${path}`);
    const modules: Record<string, { symbols: DocSymbol[] }> =
      JSON.parse(new TextDecoder().decode(stdout)).nodes;
    const symbols = Object.values(modules).flatMap((module) => module.symbols);
    for (const problem of manualProblems(symbols, valuesOf(Deno.readTextFileSync(path)))) {
      problems.add(problem);
    }
  }
  for (const problem of problems) console.error(problem);
  return problems.size;
}

if (import.meta.main) Deno.exit(check() > 0 ? 1 : 0);
