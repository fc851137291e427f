/**
 * Explains the most common of the runtimes' listen errors.
 *
 * @module
 */
import { place } from "./connect_error.ts";
import { ListenError } from "./host.ts";

const WORDS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process listens there: choose another port, or 0 for a free one",
  EADDRNOTAVAIL: "this machine has no such address",
  NotCapable: "Deno may not listen there: run it with --allow-net",
  EACCES: "the system does not allow it: choose a port from 1024",
};

const UNIX_WORDS: Readonly<Record<string, string>> = {
  EADDRINUSE: "a process listens there, or it is another kind of file",
  ENOENT: "its folder does not exist",
  NotCapable: "Deno may not create it: run it with --allow-read and --allow-write for its path",
  EACCES: "this user may not create files there",
  EINVAL: "the path is too long: a Unix socket's has at most 107 bytes",
};

/** Returns a {@linkcode ListenError} for an error of a runtime. */
export function listenError(
  error: unknown,
  at: { readonly hostname: string; readonly port: number; readonly unix?: string | undefined },
): ListenError {
  const { code, name, message } = error as Error & { readonly code?: string };
  const known = code ?? name;
  if (at.unix !== undefined) {
    const words = UNIX_WORDS[known] ?? message;
    return new ListenError(known, `cannot listen on the Unix socket ${at.unix}: ${words}`);
  }
  return new ListenError(known, `cannot listen on ${place(at)}: ${WORDS[known] ?? message}`);
}
