/**
 * The architecture rules. Each rule is a function that returns its violations, one line each, with
 * file and line. `lib/README.md` contains the data.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { lineAt, type Source, sourceOf } from "./source.ts";

/** The content of `lib/README.md`. */
export interface Plan {
  /** The layer of each folder of `lib`; `lib/*.ts` and `mod.ts` count as folders. */
  readonly layers: ReadonlyMap<string, number>;
  /** Folders of the plan that do not exist yet. */
  readonly planned: ReadonlySet<string>;
  /** Files that may use async code, clocks and randomness; paths from the project's root. */
  readonly effects: ReadonlySet<string>;
  /**
   * Files that the text of `lib/README.md` names, such as `base/ring`, except in lines about
   * planned parts.
   */
  readonly named: readonly { readonly path: string; readonly line: number }[];
}

/** Matches code that has effects: async code, timers, clocks and randomness. */
const EFFECT_WORDS = [
  /(?<![.#\w])(async|await)\b/,
  /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/,
  /\b(Date\.now|new Date\(\)|performance\.now)/,
  /\b(Math\.random|getRandomValues|randomBytes|randomUUID|randomInt)\b/,
];

/** The files and folders allowed at the top level of the repository. */
const TOP = [
  "CHANGELOG.md",
  "SECURITY.md",
  "CONTRIBUTING.md",
  "LICENSE",
  "README.md",
  "bench",
  "bunfig.toml",
  "deno.json",
  "deno.lock", // created by Deno
  "lib",
  "mesher",
  "mod.ts",
  "node_modules", // not committed
  "scripts",
  "tests",
  "tsconfig.json",
];

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Returns `mod.ts`, if it exists, and every TypeScript file under `lib`. */
export function readLib(): Source[] {
  const paths = readdirSync(ROOT + "lib", { recursive: true }).map((path) =>
    `lib/${String(path).replaceAll("\\", "/")}`
  );
  if (readdirSync(ROOT).includes("mod.ts")) paths.push("mod.ts");
  return paths.filter((path) => path.endsWith(".ts")).sort()
    .map((path) => sourceOf(path, readFileSync(ROOT + path, "utf8")));
}

/** Returns every TypeScript and JavaScript file in a folder at the top level. */
export function readFolder(name: string): Source[] {
  return readdirSync(ROOT + name, { recursive: true })
    .map((path) => `${name}/${String(path).replaceAll("\\", "/")}`)
    .filter((path) => /\.[jt]s$/.test(path) && !path.includes("node_modules")).sort()
    .map((path) => sourceOf(path, readFileSync(ROOT + path, "utf8")));
}

/** Returns every TypeScript file under `mesher`. */
export function readMesher(): Source[] {
  return readFolder("mesher").filter(({ path }) => path.endsWith(".ts"));
}

/** Reads the plan in `lib/README.md`. */
export function readPlan(): Plan {
  return planOf(readFileSync(ROOT + "lib/README.md", "utf8"));
}

/** Returns the table of layers, the list of files with effects, and every file name in the text. */
export function planOf(text: string): Plan {
  const rows = [...text.matchAll(/^\| +(\d+) +\| +`([^`]+)` +\|(.*)$/gm)];
  const folderOf = (name: string): string =>
    name === "mod.ts" ? "." : name === "lib/*.ts" ? "lib" : `lib/${name.replace(/\/$/, "")}`;
  return {
    layers: new Map(rows.map(([, layer, name]) => [folderOf(name!), Number(layer)])),
    planned: new Set(
      rows.filter(([, , , says]) => says!.includes("planned")).map(([, , name]) => folderOf(name!)),
    ),
    effects: new Set([...text.matchAll(/^- `([^`]+\.ts)`/gm)].map(([, path]) => `lib/${path}`)),
    named: text.split("\n").flatMap((line, index) =>
      line.includes("planned") ? [] : [...line.matchAll(/`([a-z]+)\/([a-z_]+)(?:\.ts)?`/g)]
        .filter(([, name]) => rows.some((row) => row[2] === `${name}/`))
        .map(([, name, file]) => ({ path: `lib/${name}/${file}.ts`, line: index + 1 }))
    ),
  };
}

/**
 * Returns imports from a higher layer or a sibling folder, from outside of `lib`, or of missing
 * files.
 */
export function importProblems(files: readonly Source[], plan: Plan): string[] {
  const paths = new Set(files.map(({ path }) => path));
  return files.flatMap(({ path, imports }) =>
    imports.flatMap(({ specifier, line }) => {
      const at = `${path}:${line}: imports ${specifier}`;
      if (specifier.startsWith("node:")) return [];
      if (!specifier.startsWith(".")) return [`${at}, which is neither node: nor lib`];
      const target = resolve(path, specifier);
      if (!paths.has(target)) return [`${at}, but there is no file ${target}`];
      const [from, to] = [folder(path), folder(target)];
      if (from === to || layerOf(to, plan) < layerOf(from, plan)) return [];
      return [`${at}: layer ${layerOf(from, plan)} must not know ${layerOf(to, plan)}`];
    })
  );
}

/**
 * The imports that Mesher may use in addition to its own files: packages by name, and the modules
 * that all commands share.
 */
const MESHER_IMPORTS = [
  /^node:/,
  /^@firn\/firn(\/\w+)*$/,
  /^@std\//,
  /^postgres@/,
  /^nodemailer@/,
  /^@jridgewell\/trace-mapping@/,
  /^bowser@/,
  /^fflate@/,
  /^(?:\.\.\/)+scripts\/(command_arguments|runner|cluster\/ports)\.ts$/,
];

/**
 * Returns imports of Mesher that bypass the package name, and pairs of its folders that import each
 * other.
 */
export function mesherProblems(files: readonly Source[]): string[] {
  const pairs = new Map<string, string>();
  const problems: string[] = [];
  for (const { path, imports } of files) {
    for (const { specifier, line } of imports) {
      const at = `${path}:${line}: imports ${specifier}`;
      const target = specifier.startsWith(".") ? resolve(path, specifier) : undefined;
      if (target === undefined || !target.startsWith("mesher/")) {
        if (!MESHER_IMPORTS.some((allowed) => allowed.test(specifier))) problems.push(at);
        continue;
      }
      const [from, to] = [part(path), part(target)];
      // Files directly in mesher/ connect its folders, so their imports are allowed.
      if (from === to || from === "" || to === "") continue;
      pairs.set(`${from} -> ${to}`, at);
      const back = pairs.get(`${to} -> ${from}`);
      if (back !== undefined) problems.push(`${at}, and ${back}`);
    }
  }
  return problems;
}

/** Returns the folder of Mesher that a file belongs to: the first one below `mesher/`. */
function part(path: string): string {
  return path.split("/").slice(1, -1)[0] ?? "";
}

/** Returns import cycles, including type imports. */
export function cycleProblems(files: readonly Source[]): string[] {
  const targets = new Map(files.map(({ path, imports }) => [
    path,
    imports.filter(({ specifier }) => specifier.startsWith("."))
      .map(({ specifier }) => resolve(path, specifier)),
  ]));
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): string[] => {
    const before = trail.indexOf(path);
    if (before >= 0) return [[...trail.slice(before), path].join(" -> ")];
    if (done.has(path)) return [];
    const found = (targets.get(path) ?? []).flatMap((target) => walk(target, [...trail, path]));
    done.add(path);
    return found;
  };
  return files.flatMap(({ path }) => walk(path, []));
}

/** The only file outside `lib/host` that may detect the runtime, although it may use no API of it. */
const CHOOSER = "lib/start.ts";

/** Returns files outside `lib/host` that name a runtime. */
export function runtimeProblems(files: readonly Source[]): string[] {
  return files.filter(({ path }) => !path.startsWith("lib/host/")).flatMap(({ path, code, bare }) =>
    [
      ...places(bare, /\b(Deno|Bun)\b/),
      ...(path === CHOOSER ? [] : places(code, /(["'`])(Deno|Bun)\1/)),
    ]
      .map(({ line, word }) => `${path}:${line}: names ${word}; only lib/host may`)
  );
}

/**
 * Returns files that have effects and are not on the list of files with effects, and files on the
 * list that have no effects or do not exist.
 */
export function effectProblems(files: readonly Source[], { effects }: Plan): string[] {
  const paths = files.map(({ path }) => path);
  const missing = [...effects].filter((path) => !paths.includes(path))
    .map((path) =>
      `lib/README.md: ${path} is on the list of files with effects, but there is no such file`
    );
  return files.flatMap(({ path, bare }) => {
    const found = EFFECT_WORDS.flatMap((pattern) => places(bare, pattern));
    if (effects.has(path)) {
      return found.length > 0 ? [] : [`${path}:1: has no effects: not for the list`];
    }
    return found.map(({ line, word }) =>
      `${path}:${line}: ${word}, but it is not on the list of files with effects`
    );
  }).concat(missing);
}

/** Returns differences between the folders and files of `lib` and `lib/README.md`. */
export function planProblems(files: readonly Source[], plan: Plan): string[] {
  const folders = new Set(files.map(({ path }) => folder(path)));
  const paths = new Set(files.map(({ path }) => path));
  return [
    ...[...folders].filter((name) => !plan.layers.has(name))
      .map((name) => `lib/README.md: ${name} has no layer`),
    ...[...plan.layers.keys()].filter((name) => folders.has(name) === plan.planned.has(name))
      .map((name) =>
        `lib/README.md: ${name} ${folders.has(name) ? "is no longer planned" : "does not exist"}`
      ),
    ...plan.named.filter(({ path }) => !paths.has(path))
      .map(({ path, line }) => `lib/README.md:${line}: there is no file ${path}`),
  ];
}

/** Returns unexpected entries at the top level. */
export function topProblems(names: readonly string[] = readdirSync(ROOT)): string[] {
  return names.filter((name) => !name.startsWith(".") && !TOP.includes(name))
    .map((name) => `${name}:1: is not allowed at the top level`);
}

function layerOf(name: string, { layers }: Plan): number {
  return layers.get(name) ?? NaN;
}

function folder(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : ".";
}

function resolve(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

function places(text: string, pattern: RegExp): { line: number; word: string }[] {
  return [...text.matchAll(new RegExp(pattern, "g"))]
    .map((found) => ({ line: lineAt(text, found.index), word: found[0] }));
}

/** Base names of files before they were renamed to standard terms. */
const OLD_FILE_NAMES = new Set([
  ...["arrivals", "bulk", "crowd", "dials", "distant", "embodiment", "exposures", "greeting"],
  ...["hearsay", "holds", "homes", "nursery", "outlet", "outpost", "outposts", "outsider"],
  ...["own_name", "refusals", "serving", "siblings", "supervising", "supervision", "telling"],
  ...["waiters"],
]);

/** Returns a line for each class name that is declared twice and each file with an old name. */
export function nameProblems(files: readonly Source[]): string[] {
  const classes = new Map<string, string>();
  return files.flatMap(({ path, bare }) => {
    const problems: string[] = [];
    const name = path.slice(path.lastIndexOf("/") + 1).replace(/\.ts$/, "");
    if (OLD_FILE_NAMES.has(name)) problems.push(`${path}:1: has a former name`);
    for (const found of bare.matchAll(/^(?:export )?(?:abstract )?class (\w+)/gm)) {
      const at = `${path}:${lineAt(bare, found.index)}: class ${found[1]}`;
      const before = classes.get(found[1]!);
      if (before !== undefined) problems.push(`${at}, and ${before}`);
      else classes.set(found[1]!, at);
    }
    return problems;
  });
}

/**
 * Phrases that comments must not use: metaphors, words for people applied to data, sentences that do
 * not begin with a verb or a noun, old names of classes.
 */
const BANNED_PHRASES = new RegExp(
  [
    "\\b(?:nobody|somebody|whoever|whom|is told|are told|unless told|if told|so many|that is none)\\b",
    "\\b(?:hearsay|crowd|nursery|outposts?|hatch|storeys?|dialler|acceptor|foreigner|a distant)\\b",
    "\\b(?:by chance|lives on|goes on|as ever|says so|is away|for good|breaks a rule|that it broke)\\b",
  ].join("|"),
  "i",
);

/** Words that the first sentence of a comment must not begin with: it begins with a verb or a noun. */
const BANNED_STARTS = /^\/\*\*\s+(?:Says|Why|So|Who|Quiet)\b/;

/** Phrases that titles of tests must not use: a title states what the symbol does, and when. */
const BANNED_IN_TITLES =
  /\b(?:nobody|somebody|whoever|whom|hears|(?:is|are) told|says|refuses|so many|is none|for good|goes on)\b/i;

/** Returns a line for each banned phrase in a comment of a file in these folders. */
export function phraseProblems(
  files: readonly Source[],
  folders: readonly string[],
  textOf: (path: string) => string = (path) => readFileSync(ROOT + path, "utf8"),
): string[] {
  return files.filter(({ path }) => folders.some((folder) => path.startsWith(`${folder}/`)))
    .flatMap(({ path }) =>
      textOf(path).split("\n").flatMap((line, index) => {
        const comment = /^\s*(\/?\*.*|\/\/.*)$|\s(\/\/ .*)$/.exec(line);
        const text = comment?.[1] ?? comment?.[2] ?? "";
        const found = BANNED_PHRASES.exec(text) ?? BANNED_STARTS.exec(text);
        return found ? [`${path}:${index + 1}: "${found[0]}" in a comment`] : [];
      })
    );
}

/** Returns a line for each banned phrase in the title of a test. */
export function titleProblems(
  files: readonly Source[],
  textOf: (path: string) => string = (path) => readFileSync(ROOT + path, "utf8"),
): string[] {
  return files.flatMap(({ path }) =>
    textOf(path).split("\n").flatMap((line, index) => {
      const title = /^\s*(?:test\()?(["`])(.+)\1,/.exec(line)?.[2] ?? "";
      const found = /^\s*test\(/.test(line) ? BANNED_IN_TITLES.exec(title) : null;
      return found ? [`${path}:${index + 1}: "${found[0]}" in a title`] : [];
    })
  );
}

/** Matches a condition of `until` that does not name its subject, or describes data as people. */
const VAGUE_CONDITIONS =
  /\buntil\(\s*["`]((?:it|they|that|nobody|somebody)\b[^"`]*|[^"`]*\b(?:told|heard)\b[^"`]*)["`]/g;

/** Returns a line for each condition of a test that does not name what is awaited. */
export function conditionProblems(
  files: readonly Source[],
  textOf: (path: string) => string = (path) => readFileSync(ROOT + path, "utf8"),
): string[] {
  return files.flatMap(({ path }) => {
    const text = textOf(path);
    return Array.from(
      text.matchAll(VAGUE_CONDITIONS),
      ({ index, 1: condition }) =>
        `${path}:${lineAt(text, index)}: "${condition}" does not name what is awaited`,
    );
  });
}

/** Number of lines above which a file states the reason for its size. */
const FILE_LINES_MAX = 400;

/** Returns a line for each long file whose first comment states no reason. */
export function sizeProblems(
  files: readonly Source[],
  textOf: (path: string) => string = (path) => readFileSync(ROOT + path, "utf8"),
): string[] {
  const reason = `Longer than ${FILE_LINES_MAX} lines`;
  return files.flatMap(({ path }) => {
    const text = textOf(path);
    const length = text.split("\n").length - 1;
    const isFine = length <= FILE_LINES_MAX || text.slice(0, text.indexOf("*/")).includes(reason);
    return isFine
      ? []
      : [`${path}: ${length} lines: split it, or state the reason ("${reason}: …")`];
  });
}

/** Maximum number of names that `mod.ts` may export, so that a newcomer can read all of them. */
const FRONT_NAMES_MAX = 60;

/**
 * Returns a line if `mod.ts` exports too many names, and one for each name that several entry points
 * export. The entry points are `mod.ts` and `lib/exports/*.ts`.
 */
export function exportProblems(files: readonly Source[]): string[] {
  const places = new Map<string, string>();
  const problems: string[] = [];
  for (const { path, bare } of files) {
    if (path !== "mod.ts" && !path.startsWith("lib/exports/")) continue;
    const names = [...bare.matchAll(/^export (?:type )?\{([^}]*)\}/gm)]
      .flatMap(([, list]) => list!.split(",").map((name) => name.replace(/\btype\b/, "").trim()))
      .filter((name) => name !== "");
    if (path === "mod.ts" && names.length > FRONT_NAMES_MAX) {
      problems.push(
        `mod.ts: ${names.length} names, but ${FRONT_NAMES_MAX} are the limit: use lib/exports`,
      );
    }
    for (const name of names) {
      const before = places.get(name);
      if (before !== undefined) problems.push(`${path}: exports ${name}, and so does ${before}`);
      else places.set(name, path);
    }
  }
  return problems;
}

/**
 * Returns a line for each file named in a comment, such as `frame.ts` or `mesh/frame.ts`, that does not
 * exist.
 */
export function fileNameProblems(
  files: readonly Source[],
  textOf: (path: string) => string = (path) => readFileSync(ROOT + path, "utf8"),
): string[] {
  const ends = new Set(files.flatMap(({ path }) => [path, ...suffixesOf(path)]));
  return files.flatMap(({ path }) =>
    textOf(path).split("\n").flatMap((line, index) => {
      const comment = /^\s*(?:\/\*|\*|\/\/)(.*)$/.exec(line)?.[1] ?? "";
      return [...comment.matchAll(/`([a-z_/]+\.ts)`/g)].filter(([, name]) =>
        !ends.has(name!) && !existsSync(ROOT + name)
      )
        .map(([, name]) => `${path}:${index + 1}: there is no file ${name}`);
    })
  );
}

/**
 * Returns the names by which a comment may refer to a path: for "lib/mesh/frame.ts",
 * "mesh/frame.ts" and "frame.ts".
 */
function suffixesOf(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, at) => parts.slice(at).join("/"));
}
