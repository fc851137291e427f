/**
 * Runs one program and keeps what it prints.
 *
 * @module
 */

/** A program that runs longer than this hangs: it is killed, and its stage fails. */
const RUN_MS_MAX = 30 * 60_000;

/** Of what a program prints, this much of the end is kept. */
const OUTPUT_CHARS_MAX = 1_000_000;

/** A program, its arguments, and what it finds in its environment. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** How it went. */
export interface Result {
  readonly ok: boolean;
  /** Both of its outputs, as they came. */
  readonly output: string;
}

/** Runs the command to its end; `echo` also prints what it prints. */
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
