/**
 * A WebSocket echo server: sends every message back unchanged, text as text and bytes as bytes.
 *
 *     deno task echo --port 9001        on Deno
 *     bun scripts/echo.ts --port 9001   on Bun
 *
 * It stops reading from a client that does not read its echoes, until the client does.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { ListenError, serve, type Server } from "../mod.ts";
import { givenArguments } from "./command_arguments.ts";

const HELP = `Echoes WebSocket messages.

Usage: deno task echo [options]

  --port <number>    where to listen; 0 lets the system choose (default 9001)
  --hostname <name>  the address to listen on (default 127.0.0.1; 0.0.0.0 is everywhere)
  --help             show this
`;

/** Maximum size of a message in bytes, which is larger than any message of a test suite. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

function fail(words: string): never {
  process.stderr.write(`echo: ${words}\n`);
  process.exit(1);
}

function readOptions(): { port: number; hostname: string } {
  const options = parseArgs(givenArguments(), {
    string: ["port", "hostname"],
    boolean: ["help"],
    default: { port: "9001", hostname: "127.0.0.1" },
    unknown: (arg) => fail(`no such option: ${arg} (--help shows them)`),
  });
  if (options.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const port = /^\d+$/.test(options.port) ? Number(options.port) : NaN;
  if (!(port <= 65535)) {
    fail(`--port is ${JSON.stringify(options.port)}: use a whole number from 0 to 65535`);
  }
  if (options.hostname === "") fail("--hostname is empty: use 127.0.0.1, or 0.0.0.0 for all");
  return { port, hostname: options.hostname };
}

/** Resolves the promise of the message handler, so that the next message is handled. */
type Continue = (() => void) | undefined;

function echo(options: { port: number; hostname: string }): Promise<Server> {
  return serve<Continue>({
    ...options,
    maxPayloadLength: MESSAGE_BYTES_MAX,
    backpressureLimit: 2 * MESSAGE_BYTES_MAX,
    // Allows every feature that a client may request, so that any client can be tested.
    perMessageDeflate: {
      threshold: 0,
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
    },
    message(conn, data) {
      if (conn.send(data) !== "behind") return;
      return new Promise<void>((continueWith) => conn.data = continueWith);
    },
    drain: (conn) => conn.data?.(),
    close: (conn) => conn.data?.(),
  });
}

const options = readOptions();
const server = await echo(options).catch((error: unknown) => {
  if (!(error instanceof ListenError)) throw error;
  return fail(error.message);
});
process.stdout.write(`Echoing on ${server.url}\n`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, async () => {
    await server.stop({ timeout: 1000 });
    process.exit(0);
  });
}
