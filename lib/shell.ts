/**
 * A shell on a running cluster: it connects as a hidden node, which shares no names, rooms or
 * gossip.
 *
 * @module
 */
import { createInterface } from "node:readline";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { Node } from "./node.ts";
import { completions, SHELL_COMMANDS, type ShellContext } from "./observe/shell_commands.ts";
import { ANSI, type Paint, PLAIN, shellJson, shellText } from "./observe/shell_text.ts";
import { ObserveError } from "./observe/error.ts";
import type { NodeOptions } from "./node_options.ts";

/** Maximum time for which the shell waits for a connection to each node, in milliseconds. */
const CONNECT_MS = 5_000;

/** Options of {@linkcode shell}. */
export interface ShellOptions {
  /** The first node to connect to: `name@host:port`, or `*@host:port` if its name is unknown. */
  readonly target: string;
  /** Options of the shell's own node, for example its cookie. Default: the defaults of a node. */
  readonly node?: NodeOptions | undefined;
  /** Commands to run, after which the shell ends. Default: commands are read from `input`. */
  readonly commands?: readonly string[] | undefined;
  /** Whether to write each result as one line of JSON. Default false. */
  readonly json?: boolean | undefined;
  /** Whether to use colours. Default: whether the output is a terminal. */
  readonly colours?: boolean | undefined;
  /** The stream from which commands are read. Default: standard input. */
  readonly input?: Readable | undefined;
  /** The stream to which results are written. Default: standard output. */
  readonly output?: Writable | undefined;
}

/**
 * Runs a shell until `exit` or the end of its input. Resolves with the status for `process.exit`: 1
 * if a command failed. Rejects with `NodeConnectError` or `ObserveError` if the node cannot be
 * reached.
 *
 * Commands: `nodes`, `use`, `stats`, `tree`, `top`, `info`, `state`, `trace`, `log`, `suspend`,
 * `resume`, `kill`, `leave`, `help`. Any other input is evaluated as a JavaScript expression, in
 * which `node` is the shell's own node.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { shell } from "@firn/firn/shell";
 * import { PassThrough } from "node:stream";
 * import { assertEquals } from "@std/assert";
 *
 * const cookie = "the same on every node";
 * await using node = await Node.start({ name: "a@127.0.0.1:0", cookie, logLevel: "silent" });
 * const output = new PassThrough();
 * const options = { target: node.name, node: { cookie }, commands: ["nodes"], output };
 * assertEquals(await shell(options), 0);
 * assertEquals(`${output.read()}`.includes(node.name), true);
 * ```
 */
export async function shell(options: ShellOptions): Promise<number> {
  const { input = process.stdin, output = process.stdout, json = false } = options;
  const isTerminal = (output as { isTTY?: boolean }).isTTY === true;
  const paint = !json && (options.colours ?? isTerminal) ? ANSI : PLAIN;
  const isAddress = options.target.startsWith("*@");
  await using node = await Node.start({
    logLevel: "silent",
    hidden: true,
    ...isAddress ? { seeds: [options.target], joinTimeout: CONNECT_MS } : {},
    ...options.node,
  });
  const context: ShellContext = { node, current: await join(node, options.target) };
  const print = (text: string): void => {
    if (text !== "") output.write(`${text}\n`);
  };
  let status = 0;
  const run = async (line: string): Promise<void> => {
    try {
      const value = await evaluate(context, line, paint);
      print(json ? shellJson(value) : shellText(value, paint));
    } catch (error) {
      status = 1;
      const words = error instanceof Error ? error.message : `${error}`;
      print(json ? shellJson({ error: words }) : paint("bad", words));
    }
  };
  if (options.commands !== undefined) {
    for (const command of options.commands) await run(command);
    return status;
  }
  const lines = createInterface({
    input,
    output,
    terminal: isTerminal,
    completer: (line: string) => [completions(context, line), line.split(/\s+/).at(-1)],
  });
  const prompt = (): void => {
    if (!isTerminal) return;
    lines.setPrompt(`${context.current.split("@")[0]}> `);
    lines.prompt();
  };
  prompt();
  for await (const line of lines) {
    if (line.trim() === "exit") break;
    if (line.trim() !== "") await run(line.trim());
    prompt();
  }
  lines.close();
  return status;
}

/**
 * Connects to a node, and to the nodes with which that node is connected. Returns the name of the
 * node.
 */
async function join(node: Node, target: string): Promise<string> {
  if (!target.startsWith("*@")) await node.connect(target, { timeout: CONNECT_MS });
  const name = node.peers().find((peer) => peer === target) ?? node.peers()[0];
  if (name === undefined) {
    const words =
      `no node answered at ${target.slice(2)}: is one running there, with this cookie? ` +
      "Its log has the reason if it rejected this shell";
    throw new ObserveError("noconnection", words);
  }
  const { sessions } = await node.stats({ node: name });
  const others = sessions.map((session) => session.node).filter((other) => other !== node.name);
  await Promise.allSettled(others.map((other) => node.connect(other, { timeout: CONNECT_MS })));
  return name;
}

/** Runs a command, or evaluates an expression. */
async function evaluate(context: ShellContext, line: string, paint: Paint): Promise<unknown> {
  const [name = "", ...args] = words(line);
  if (name === "help") return help(paint);
  if (Object.hasOwn(SHELL_COMMANDS, name)) return await SHELL_COMMANDS[name]!.run(context, args);
  const body = `return (async () => (${line}\n))();`;
  return await (new Function("node", "current", body))(context.node, context.current);
}

/** Splits a line into words. A pid such as `<a@host:1 4.2>` is one word. */
function words(line: string): string[] {
  return line.match(/<[^>]*>|"[^"]*"|\S+/g)?.map((word) => word.replaceAll('"', "")) ?? [];
}

function help(paint: Paint): string {
  const usages = Object.values(SHELL_COMMANDS);
  const width = Math.max(...usages.map(({ usage }) => usage.length));
  const lines = usages.map(({ usage, help }) => `${paint("head", usage.padEnd(width))}  ${help}`);
  return [...lines, "Anything else is a JavaScript expression: `node.info(...)`. `exit` ends."]
    .join("\n");
}
