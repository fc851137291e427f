/**
 * From the runtimes' words for "cannot listen" to ours, where the reason is one that people meet.
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

/** The error of a runtime as a {@linkcode ListenError}. */
export function listenError(
  error: unknown,
  at: { readonly hostname: string; readonly port: number },
): ListenError {
  const { code, name, message } = error as Error & { readonly code?: string };
  const known = code ?? name;
  return new ListenError(known, `cannot listen on ${place(at)}: ${WORDS[known] ?? message}`);
}
