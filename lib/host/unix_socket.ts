/**
 * Helps to listen on Unix sockets, which have a path instead of an address.
 *
 * @module
 */
import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import type { Address } from "./stream.ts";

/** The address of every peer on a Unix socket, which has no address of its own. */
export const UNIX_PEER: Address = { hostname: "unix", port: 0 };

/**
 * Removes the file of a Unix socket on which no process listens: a killed process leaves it behind,
 * and no process could listen there again. Keeps every other file.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSocket() !== true) return;
  const isStale = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error: Error & { readonly code?: string }) => {
      resolve(error.code === "ECONNREFUSED");
    });
  });
  if (isStale) await unlink(path).catch(() => {});
}
