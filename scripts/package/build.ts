/**
 * Builds the npm package: JavaScript and declarations of `mod.ts` and `lib`, in a folder for
 * `npm pack`.
 *
 * Each file is transpiled separately (`isolatedDeclarations` is on in this repository), so that no
 * types of Deno or Bun are needed. Deno rejects TypeScript inside `node_modules`, but JavaScript
 * runs on both runtimes.
 *
 *     exports: { ".": { types, deno, bun, default } }
 *                                         └─ any other runtime: one sentence in place of a ReferenceError
 *              { "./client": { types, default } }     runs everywhere, also in browsers
 *
 * @module
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT_URL = new URL("../../", import.meta.url);
const ROOT = fileURLToPath(ROOT_URL);

/** The fields of `deno.json` that the build uses. */
interface DenoConfig {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
}

const OPTIONS: ts.CompilerOptions = {
  module: ts.ModuleKind.ESNext,
  target: ts.ScriptTarget.ES2024,
  verbatimModuleSyntax: true,
};
const DECLARATIONS: ts.CompilerOptions = {
  ...OPTIONS,
  isolatedDeclarations: true,
  declaration: true,
};

/** Thrown by the file that Node and bundlers for browsers load instead of an entry point. */
const UNSUPPORTED =
  `throw new Error("Firn runs on Deno (2.9 or later) and Bun (1.4 or later): this is another runtime");
`;

/** The entry point without imports, for browsers and every runtime. */
const CLIENT = "./client";

/**
 * Builds the package into `folder`, which is emptied first. Returns the name and version of the
 * package.
 */
export async function buildPackage(folder: string): Promise<{ name: string; version: string }> {
  const config = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8")) as DenoConfig;
  rmSync(folder, { recursive: true, force: true });
  for (const path of sources()) translate(path, folder);
  for (const path of ["README.md", "LICENSE", "CHANGELOG.md"]) {
    writeFileSync(join(folder, path), readFileSync(join(ROOT, path)));
  }
  const names = await exportedNames(config);
  writeFileSync(
    join(folder, "unsupported.js"),
    `export let ${names.join(", ")};\n${UNSUPPORTED}`,
  );
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifestOf(config), null, 2) + "\n");
  return { name: config.name, version: config.version };
}

/**
 * Returns the names of all entry points. Without them, an import on Node would fail before the
 * error with the explanation is thrown.
 */
async function exportedNames({ exports }: DenoConfig): Promise<readonly string[]> {
  const paths = Object.values(exports);
  const modules = await Promise.all(paths.map((path) => import(new URL(path, ROOT_URL).href)));
  return [...new Set(modules.flatMap(Object.keys))].sort();
}

function sources(): string[] {
  const lib = readdirSync(join(ROOT, "lib"), { recursive: true })
    .map((path) => `lib/${String(path).replaceAll("\\", "/")}`);
  return ["mod.ts", ...lib.filter((path) => path.endsWith(".ts")).sort()];
}

function translate(path: string, folder: string): void {
  const source = readFileSync(join(ROOT, path), "utf8");
  const input = (compilerOptions: ts.CompilerOptions) => ({
    fileName: path,
    compilerOptions,
    reportDiagnostics: true,
  });
  const outputs = [
    [".js", ts.transpileModule(source, input(OPTIONS))],
    [".d.ts", ts.transpileDeclaration(source, input(DECLARATIONS))],
  ] as const;
  for (const [ending, { outputText, diagnostics = [] }] of outputs) {
    const first = diagnostics[0];
    if (first !== undefined) {
      throw new Error(`${path}: ${ts.flattenDiagnosticMessageText(first.messageText, "\n")}`);
    }
    const to = join(folder, path.replace(/\.ts$/, ending));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, withJsEndings(ending === ".js" ? outputText : withoutTwins(outputText)));
  }
}

/**
 * Removes the property that `transpileDeclaration` adds for a method with a computed name such as
 * `[Symbol.iterator]`. It has the name of the method, so the compiler would reject it.
 */
function withoutTwins(text: string): string {
  return text.replaceAll(
    /^[ \t]*(?:static )?(\[Symbol\.\w+\]): .*;\n/gm,
    (line, name) => text.includes(`${name}(`) ? "" : line,
  );
}

/** Returns the code with relative imports of the output files: `./x.ts` becomes `./x.js`. */
function withJsEndings(text: string): string {
  return text.replaceAll(
    /((?:from|import|import\()\s*")(\.{1,2}\/[^"]+)\.ts"/g,
    (_, start, specifier) => `${start}${specifier}.js"`,
  );
}

function manifestOf({ name, version, license, exports }: DenoConfig): unknown {
  const entries = Object.entries(exports).map(([entry, path]) => {
    const file = path.replace(/\.ts$/, "");
    const js = `${file}.js`;
    if (entry === CLIENT) return [entry, { types: `${file}.d.ts`, default: js }];
    return [entry, {
      types: `${file}.d.ts`,
      deno: js,
      bun: js,
      default: "./unsupported.js",
    }];
  });
  return {
    name,
    version,
    description: "A distributed actor runtime for Deno and Bun",
    license,
    type: "module",
    sideEffects: false,
    engines: { deno: ">=2.9", bun: ">=1.4" },
    exports: Object.fromEntries(entries),
  };
}
