/**
 * Unhandled rejections end a process. Those of failed calls are excepted here.
 *
 * @module
 */
import process from "node:process";

/** Whether the rejection with this reason is handled elsewhere. */
export type Claims = (reason: unknown) => boolean;

/** A listener of this library in a process: each of several nodes may have one. */
interface Listener {
  (reason: unknown): void;
  claims?: Claims;
}

/** Installs `claims` on Deno. Returns a function that removes it. */
export function claimRejectionsOnDeno(claims: Claims): () => void {
  const listener = (event: Event): void => {
    const { reason } = event as Event & { readonly reason: unknown };
    if (claims(reason)) event.preventDefault();
  };
  globalThis.addEventListener("unhandledrejection", listener);
  return () => globalThis.removeEventListener("unhandledrejection", listener);
}

/**
 * Installs `claims` on Bun, where a listener receives all rejections: one that no node claims ends
 * the process as it would without a listener, unless the program has its own. Returns a function
 * that removes it.
 */
export function claimRejectionsOnBun(claims: Claims): () => void {
  const listener: Listener = (reason) => {
    const all = process.listeners("unhandledRejection") as Listener[];
    const ours = all.filter((each) => each.claims !== undefined);
    // The first listener decides for all of them.
    if (ours[0] !== listener || ours.some((each) => each.claims!(reason))) return;
    if (ours.length < all.length) return;
    queueMicrotask(() => {
      throw reason;
    });
  };
  listener.claims = claims;
  process.on("unhandledRejection", listener);
  return () => void process.off("unhandledRejection", listener);
}
