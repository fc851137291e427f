/**
 * Runs one program and collects its output.
 *
 * @module
 */

/** Time limit of a program in milliseconds, after which it is killed and its stage fails. */
const RUN_MS_MAX = 12 * 60_000;

/** Number of characters kept from the end of the output. */
const OUTPUT_CHARS_MAX = 1_000_000;

/** A program, its arguments and its environment. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The result of a command. */
export interface Result {
  readonly ok: boolean;
  /** Standard output and standard error, interleaved. */
  readonly output: string;
}

/** Runs the command to completion. With `echo`, also prints its output. */
export async function run({ program, args, env }: Command, echo: boolean): Promise<Result> {
  let output = "";
  const child = new Deno.Command(program, {
    args: [...args],
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      if (echo) Deno.stdout.writeSync(bytes);
      output = (output + decoder.decode(bytes, { stream: true })).slice(-OUTPUT_CHARS_MAX);
    }
  };
  const patience = setTimeout(() => {
    output += `\nStill running after ${RUN_MS_MAX} ms: killed.\n`;
    child.kill("SIGKILL");
  }, RUN_MS_MAX);
  const [{ success }] = await Promise.all([
    child.status,
    collect(child.stdout),
    collect(child.stderr),
  ]);
  clearTimeout(patience);
  return { ok: success, output };
}
