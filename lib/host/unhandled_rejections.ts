/**
 * Rejections that nothing has handled, which end a process: those of failed calls are taken out.
 *
 * @module
 */
import process from "node:process";

/** Whether a rejection is dealt with, by its reason. */
export type Claims = (reason: unknown) => boolean;

/** A listener of this library in a process: several nodes may have one each. */
interface Listener {
  (reason: unknown): void;
  claims?: Claims;
}

/** On Deno. Returns what takes it back. */
export function claimRejectionsOnDeno(claims: Claims): () => void {
  const listener = (event: Event): void => {
    const { reason } = event as Event & { readonly reason: unknown };
    if (claims(reason)) event.preventDefault();
  };
  globalThis.addEventListener("unhandledrejection", listener);
  return () => globalThis.removeEventListener("unhandledrejection", listener);
}

/**
 * On Bun, where a listener takes all rejections: one that no node claims ends the process as it would without
 * us, unless the program listens itself.
 */
export function claimRejectionsOnBun(claims: Claims): () => void {
  const listener: Listener = (reason) => {
    const all = process.listeners("unhandledRejection") as Listener[];
    const ours = all.filter((each) => each.claims !== undefined);
    // The first of ours decides for all of them.
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
