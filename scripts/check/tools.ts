/**
 * The programs that the stages run, and the environment they run in.
 *
 * Deno is the one that runs this script, which need not be on the PATH (`npx -y deno task test`).
 * Bun is the one on the PATH, else the one that npx fetches.
 *
 * @module
 */
import { delimiter, dirname } from "node:path";

/** The Bun that is asked for where the machine has none. */
const BUN_WANTED = "bun@1.4.5";

/** Where the programs are. */
export interface Tools {
  readonly deno: string;
  /** `undefined` if there is none, and none could be fetched. */
  readonly bun: string | undefined;
  /** The versions, for the first line of the output. */
  readonly versions: string;
  /** What children get on top of this process's environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** Looks for Deno and, if it is wanted, for Bun. */
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

/** The real path of Bun's program, which a wrapper of npm's may hide, and its version. */
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
