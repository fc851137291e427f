/**
 * Explains the most common of the runtimes' listen errors.
 *
 * @module
 */
import { place } from "./connect_error.ts";
import { ListenError } from "./host.ts";

const WORDS: Readonly<Record<string, string>> = {
  EADDRINUSE: "somebody listens there already: choose another port, or 0 for any that is free",
  EADDRNOTAVAIL: "this machine has no such address",
  NotCapable: "Deno may not listen there: run it with --allow-net",
  EACCES: "the system does not allow it: choose a port from 1024",
};

/** Returns a {@linkcode ListenError} for an error of a runtime. */
export function listenError(
  error: unknown,
  at: { readonly hostname: string; readonly port: number },
): ListenError {
  const { code, name, message } = error as Error & { readonly code?: string };
  const known = code ?? name;
  return new ListenError(known, `cannot listen on ${place(at)}: ${WORDS[known] ?? message}`);
}
