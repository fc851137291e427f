/**
 * Finds the programs that the stages run, and their environment.
 *
 * Deno is the program that runs this script, which need not be on the PATH (`npx -y deno task
 * test`). Bun is the program on the PATH, or one fetched by npx.
 *
 * @module
 */
import { delimiter, dirname } from "node:path";

/** The version of Bun that is fetched if none is installed. */
const BUN_WANTED = "bun@1.4.5";

/** The paths of the programs. */
export interface Tools {
  readonly deno: string;
  /** The path of Bun, or `undefined` if it is neither installed nor could be fetched. */
  readonly bun: string | undefined;
  /** The versions, for the first line of the output. */
  readonly versions: string;
  /** Environment variables of children, in addition to those of this process. */
  readonly env: Readonly<Record<string, string>>;
}

/** Finds Deno and, if required, Bun. */
export async function findTools(wantBun: boolean): Promise<Tools> {
  const deno = Deno.execPath();
  const [bun, bunVersion] = wantBun ? await findBun() : [];
  const folders = [deno, bun].flatMap((program) => program === undefined ? [] : dirname(program));
  const versions = [`Deno ${Deno.version.deno}`, wantBun ? `Bun ${bunVersion ?? "missing"}` : ""];
  return {
    deno,
    bun,
    versions: versions.filter(Boolean).join(", "),
    env: {
      PATH: [...new Set(folders), Deno.env.get("PATH") ?? ""].join(delimiter),
      DENO_BIN: deno,
      ...(bun === undefined ? {} : { BUN_BIN: bun }),
      NO_COLOR: "1",
    },
  };
}

/** Returns the real path of Bun's program, which an npm wrapper may hide, and its version. */
async function findBun(): Promise<[path?: string, version?: string]> {
  const ask = ["-e", "console.log(process.execPath + '\\n' + Bun.version)"];
  for (const [program, ...args] of [["bun", ...ask], ["npx", "-y", BUN_WANTED, ...ask]]) {
    try {
      const { success, stdout } = await new Deno.Command(program!, { args, stderr: "null" })
        .output();
      const [path, version] = new TextDecoder().decode(stdout).trim().split("\n");
      if (success && path && version) return [path, version];
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return [];
}
