/**
 * The stages of the check, in order. This table is what CI runs.
 *
 * @module
 */
import type { Counting } from "./tally.ts";

/** A command line, which begins with the runtime's name. */
export type CommandLine = readonly ["deno" | "bun", ...string[]];

/** A check. All its commands must succeed. */
export interface Stage {
  /** The name for `--only`. */
  readonly name: string;
  readonly title: string;
  /** The format of the printed counts. */
  readonly counts: Counting;
  /** Whether `--quick` skips the stage, because it takes long. */
  readonly slow?: boolean;
  /** Whether the stage runs alone after all others, because it measures time. */
  readonly alone?: boolean;
  /** Whether the stage requires Bun. */
  readonly needsBun?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** The command lines. They may run at the same time. */
  readonly commands: () => readonly CommandLine[];
}

/**
 * Number of test files of a command. On Deno, the files of a suite share an isolate, which loads
 * the library once.
 */
const FILES_PER_COMMAND = 20;
/** Number of test files of a command for Mesher, whose files take longer. */
const MESHER_FILES_PER_COMMAND = 6;

/** The file of the stage "latency". */
const LATENCY = "tests/process/latency_test.ts";

/**
 * All stages. Commands of the first ones run first, so the stages with long commands precede those
 * with short commands, which fill the cores until the end.
 */
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
    commands: () => [
      ["deno", "doc", "--lint", ...entryPoints()],
      ["deno", "run", "-P=test", "scripts/check/manual.ts"],
    ],
  },
  {
    name: "publish",
    title: "publishing, tried dry",
    counts: "whole",
    // Without a type check, because an earlier stage has checked the types.
    commands: () => [["deno", "publish", "--dry-run", "--allow-dirty", "--no-check"]],
  },
  {
    name: "examples",
    title: "examples in the documentation",
    counts: "deno test",
    commands: () => [["deno", "run", "-P=test", "scripts/check/doc_examples.ts"]],
  },
  {
    name: "mixed",
    title: "processes of Deno and Bun together",
    counts: "deno test",
    slow: true,
    needsBun: true,
    env: { FIRN_PAIRS: "mixed" },
    // Grants all permissions, because some of these tests use a browser.
    commands: () => testsOf("deno", filesUnder("tests/process", "_test.ts").filter(isMixed), 1),
  },
  {
    name: "sim",
    title: "promises in the simulator, both",
    counts: "whole",
    slow: true,
    needsBun: true,
    // Each runtime runs other seeds, because a seed has the same history on both (`sim_test.ts`).
    commands: () => [
      ["deno", "run", "-P=sim", "--no-check", "scripts/sim.ts", "--seeds", "15"],
      ["bun", "scripts/sim.ts", "--from", "16", "--seeds", "15"],
    ],
  },
  {
    name: "mesher",
    title: "Mesher on Deno",
    counts: "deno test",
    commands: () =>
      suiteOf("deno", filesUnder("tests/mesher", "_test.ts"), MESHER_FILES_PER_COMMAND),
  },
  {
    name: "deno",
    title: "suite on Deno",
    counts: "deno test",
    commands: () => suiteOf("deno", filesUnder("tests", "_test.ts").filter(isOfSuite)),
  },
  {
    name: "bun",
    title: "suite on Bun",
    counts: "bun test",
    slow: true,
    needsBun: true,
    commands: () => suiteOf("bun", filesUnder("tests", "_test.ts").filter(isOfSuite)),
  },
  {
    name: "mesher-bun",
    title: "Mesher on Bun",
    counts: "bun test",
    slow: true,
    needsBun: true,
    commands: () =>
      suiteOf("bun", filesUnder("tests/mesher", "_test.ts"), MESHER_FILES_PER_COMMAND),
  },
  {
    name: "process",
    title: "processes of Deno",
    counts: "deno test",
    // Grants all permissions, because the package that controls the browser reads a file in /proc
    // that requires them. Leaves out the files whose tests all run on pairs of processes: the stage
    // "mixed" runs them, with each runtime on either side.
    commands: () =>
      testsOf(
        "deno",
        filesUnder("tests/process", "_test.ts").filter((file) => !isMixedOnly(file)),
        1,
      ),
  },
  {
    name: "process-bun",
    title: "processes of Bun",
    counts: "bun test",
    slow: true,
    needsBun: true,
    commands: () =>
      testsOf(
        "bun",
        filesUnder("tests/process", "_test.ts").filter((file) => !isForDeno(file)),
        2,
      ),
  },
  {
    name: "latency",
    title: "latency between Deno and Bun",
    counts: "deno test",
    slow: true,
    alone: true,
    needsBun: true,
    env: { FIRN_PAIRS: "mixed" },
    commands: () => testsOf("deno", [LATENCY], 1),
  },
  {
    name: "bench",
    title: "benches on Deno, tiny",
    counts: "whole",
    slow: true,
    env: { FIRN_BENCH: "tiny" },
    commands: () => [["deno", "bench", "-P", "bench/"], ["deno", "task", "-q", "bench:all"]],
  },
  {
    name: "bench-bun",
    title: "benches on Bun, tiny",
    counts: "whole",
    slow: true,
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
      // Grants all permissions, because the given tests may use a browser.
      commands: () => [["deno", "test", "-A", "--no-check", ...paths]],
    },
    {
      name: "bun",
      title: "on Bun",
      counts: "bun test",
      slow: true,
      needsBun: true,
      // Bun treats a path without "./" as a pattern.
      commands: () => [["bun", "test", ...paths.map((path) => path.replace(/^(?![./])/, "./"))]],
    },
  ];
}

/** Returns the files that `deno.json` exports. */
function entryPoints(): string[] {
  const { exports } = JSON.parse(Deno.readTextFileSync("deno.json"));
  return Object.values<string>(exports);
}

function hasPairs(file: string): boolean {
  return Deno.readTextFileSync(file).includes("PAIRS");
}

/**
 * Returns whether a file belongs to the suites. The tests of Mesher and of processes have separate
 * stages.
 */
function isOfSuite(file: string): boolean {
  return !/^tests\/(process|mesher)\//.test(file);
}

/**
 * Returns whether a file runs on Deno only: tests of pairs of processes, most tests of Mesher's
 * page, and tests of broken builds.
 */
function isForDeno(file: string): boolean {
  return /mesher_page_\w+_test|pictures_test|chaos\/broken_test/.test(file) || isMixedOnly(file);
}

/** Returns whether a file starts nodes of Mesher that run alternately on Deno and Bun. */
function hasNodesOfBoth(file: string): boolean {
  return /mesher_(cluster|loss|nodes)_test/.test(file);
}

function isMixed(file: string): boolean {
  return (hasPairs(file) || hasNodesOfBoth(file)) && file !== LATENCY;
}

/** Returns whether all tests of a file run in mixed mode only; other stages skip such a file. */
function isMixedOnly(file: string): boolean {
  return hasNodesOfBoth(file) ||
    hasPairs(file) && !/^test\(/m.test(Deno.readTextFileSync(file));
}

/** Returns command lines that test the files, `size` files each. */
function testsOf(runtime: "deno" | "bun", files: readonly string[], size: number): CommandLine[] {
  return slicesOf(files, size).map((some): CommandLine =>
    runtime === "deno"
      ? ["deno", "test", "-A", "--no-check", ...some]
      // Bun treats a path without "./" as a pattern.
      : ["bun", "test", ...some.map((file) => `./${file}`)]
  );
}

/**
 * Returns command lines that test the files of a suite. On Deno they use the permission set `test`,
 * and the files of a command share an isolate (`together.ts`).
 */
function suiteOf(
  runtime: "deno" | "bun",
  files: readonly string[],
  size: number = FILES_PER_COMMAND,
): CommandLine[] {
  if (runtime === "bun") return testsOf("bun", files, size);
  const options = ["-P=test", "--no-check", "scripts/check/together.ts", "--"];
  return slicesOf(files, size).map((
    some,
  ): CommandLine => ["deno", "test", ...options, ...some]);
}

function slicesOf(files: readonly string[], size: number): string[][] {
  return Array.from(
    { length: Math.ceil(files.length / size) },
    (_, at) => files.slice(at * size, (at + 1) * size),
  );
}

function filesUnder(folder: string, ending: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? filesUnder(path, ending) : name.endsWith(ending) ? [path] : [];
  }).sort();
}
