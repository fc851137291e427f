/**
 * The stages of the check, in order. This table is what CI runs.
 *
 * @module
 */
import type { Counting } from "./tally.ts";

/** One check. All its commands must succeed. */
export interface Stage {
  /** The name for `--only`. */
  readonly name: string;
  readonly title: string;
  /** The format of the printed counts. */
  readonly counts: Counting;
  /** Whether `--quick` skips it, because it takes long. */
  readonly slow?: boolean;
  /** Whether it runs at the same time as the previous stage, because both mostly wait. */
  readonly beside?: boolean;
  /** Whether it requires Bun. */
  readonly needsBun?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Command lines, each beginning with the runtime's name. */
  readonly commands: () => readonly (readonly ["deno" | "bun", ...string[]])[];
}

/** All stages. */
export const STAGES: readonly Stage[] = [
  {
    name: "fmt",
    title: "format",
    counts: "whole",
    commands: () => [["deno", "fmt", "--check"]],
  },
  {
    name: "lint",
    title: "lint",
    counts: "whole",
    beside: true,
    commands: () => [["deno", "lint"]],
  },
  {
    name: "types",
    title: "types of everything, examples too",
    counts: "whole",
    commands: () => [["deno", "check", "-q", "--doc", "."]],
  },
  {
    name: "doc",
    title: "documentation of every public symbol",
    counts: "whole",
    beside: true,
    commands: () => [["deno", "doc", "--lint", ...entryPoints()]],
  },
  {
    name: "publish",
    title: "publishing, tried dry",
    counts: "whole",
    beside: true,
    // The types have already been checked.
    commands: () => [["deno", "publish", "--dry-run", "--allow-dirty", "--no-check"]],
  },
  {
    name: "examples",
    title: "examples in the documentation",
    counts: "deno test",
    commands:
      () => [["deno", "test", "--doc", "--no-check", "-P=test", "mod.ts", "lib", "README.md"]],
  },
  {
    name: "deno",
    title: "suite on Deno",
    counts: "deno test",
    commands: () => [[
      "deno",
      "test",
      "-P=test",
      "--no-check",
      "--ignore=tests/process,tests/mesher",
      "tests/",
    ]],
  },
  {
    name: "mesher",
    title: "Mesher on Deno",
    counts: "deno test",
    beside: true,
    commands: () => [["deno", "test", "-P=test", "--no-check", "tests/mesher/"]],
  },
  {
    name: "process",
    title: "processes of Deno",
    counts: "deno test",
    beside: true,
    // All permissions, because the package that controls the browser reads a file in /proc that
    // requires them. Files whose tests all run on pairs of processes run only in mixed mode, with
    // each runtime on either side.
    commands: () => [[
      "deno",
      "test",
      "-A",
      "--no-check",
      ...filesUnder("tests/process", "_test.ts").filter((file) => !isPairsOnly(file)),
    ]],
  },
  {
    name: "bun",
    title: "suite on Bun",
    counts: "bun test",
    beside: true,
    slow: true,
    needsBun: true,
    // Pairs of processes run in mixed mode, with each runtime on either side; most tests of Mesher's page
    // have already run on Deno.
    commands: () => [[
      "bun",
      "test",
      ...filesUnder("tests", "_test.ts").filter((file) => !isForDeno(file) && !isOfMesher(file))
        .map((file) => `./${file}`),
    ]],
  },
  {
    name: "mesher-bun",
    title: "Mesher on Bun",
    counts: "bun test",
    beside: true,
    slow: true,
    needsBun: true,
    commands: () => [["bun", "test", "./tests/mesher/"]],
  },
  {
    name: "mixed",
    title: "processes of Deno and Bun together",
    counts: "deno test",
    slow: true,
    needsBun: true,
    env: { FIRN_PAIRS: "mixed" },
    // Only tests on pairs of processes; the others have already run. All permissions, because one of
    // them uses a browser too.
    commands: () => [[
      "deno",
      "test",
      "-A",
      "--no-check",
      ...filesUnder("tests/process", "_test.ts").filter(hasPairs),
    ]],
  },
  {
    name: "sim",
    title: "promises in the simulator, both",
    counts: "whole",
    beside: true,
    slow: true,
    needsBun: true,
    commands: () => [
      ["deno", "run", "-P=sim", "--no-check", "scripts/sim.ts", "--seeds", "200"],
      ["bun", "scripts/sim.ts", "--seeds", "200"],
    ],
  },
  {
    name: "bench",
    title: "benches on Deno, tiny",
    counts: "whole",
    slow: true,
    beside: true,
    env: { FIRN_BENCH: "tiny" },
    commands: () => [["deno", "bench", "-P", "bench/"]],
  },
  {
    name: "bench-bun",
    title: "benches on Bun, tiny",
    counts: "whole",
    slow: true,
    beside: true,
    needsBun: true,
    env: { FIRN_BENCH: "tiny" },
    commands: () => filesUnder("bench", "_bench.ts").map((file) => ["bun", file] as const),
  },
];

/**
 * Returns the stages that run the given test files or folders: type check once, then both runtimes.
 */
export function stagesOf(paths: readonly string[]): readonly Stage[] {
  return [
    {
      name: "types",
      title: "types",
      counts: "whole",
      commands: () => [["deno", "check", "-q", ...paths]],
    },
    {
      name: "deno",
      title: "on Deno",
      counts: "deno test",
      // As above, because they may be browser tests.
      commands: () => [["deno", "test", "-A", "--no-check", ...paths]],
    },
    {
      name: "bun",
      title: "on Bun",
      counts: "bun test",
      slow: true,
      needsBun: true,
      // Bun treats a path without this prefix as a pattern.
      commands: () => [["bun", "test", ...paths.map((path) => path.replace(/^(?![./])/, "./"))]],
    },
  ];
}

/** The files that `deno.json` exports. */
function entryPoints(): string[] {
  const { exports } = JSON.parse(Deno.readTextFileSync("deno.json"));
  return Object.values<string>(exports);
}

function hasPairs(file: string): boolean {
  return Deno.readTextFileSync(file).includes("PAIRS");
}

/** Run by a separate stage, because they mostly wait for disks. */
function isOfMesher(file: string): boolean {
  return file.startsWith("tests/mesher/");
}

/**
 * Skipped by the suite on Bun: pairs of processes, most tests of Mesher's page, the broken builds.
 */
function isForDeno(file: string): boolean {
  if (!file.startsWith("tests/process/")) return false;
  if (/mesher_page_\w+_test|pictures_test|chaos\/broken_test/.test(file)) return true;
  return isPairsOnly(file);
}

function isPairsOnly(file: string): boolean {
  return hasPairs(file) && !/^test\(/m.test(Deno.readTextFileSync(file));
}

function filesUnder(folder: string, ending: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? filesUnder(path, ending) : name.endsWith(ending) ? [path] : [];
  }).sort();
}
