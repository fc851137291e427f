/**
 * Prevents rejections of failed calls from ending the process, as unhandled rejections do by
 * default.
 *
 * @module
 */
import process from "node:process";
import type { Claims, RejectionClaim } from "../base/rejections.ts";

const EVENT = "unhandledRejection";

/**
 * The process-wide listener that one node has added. A process with several nodes has several
 * listeners.
 */
interface Listener {
  (reason: unknown, promise: Promise<unknown>): void;
  claims?: Claims;
}

/**
 * Installs `claims` on Deno. Listeners that the program has added earlier receive claimed
 * rejections too.
 */
export function claimRejectionsOnDeno(claims: Claims): RejectionClaim {
  const listener = (event: Event): void => {
    const { reason, promise } = event as PromiseRejectionEvent;
    if (!claims(reason, promise)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  globalThis.addEventListener("unhandledrejection", listener);
  return {
    isSole: true,
    release: () => globalThis.removeEventListener("unhandledrejection", listener),
  };
}

/**
 * Installs `claims` on Bun, where a listener receives all rejections: one that no node claims ends
 * the process as it would without a listener, unless the program has its own.
 */
export function claimRejectionsOnBun(claims: Claims): RejectionClaim {
  const listener: Listener = (reason, promise) => {
    const all = process.listeners(EVENT) as Listener[];
    const ours = all.filter(isOurs);
    // The first of the nodes' listeners decides for all of them.
    if (ours[0] !== listener || ours.some((each) => each.claims!(reason, promise))) return;
    if (ours.length < all.length) return;
    queueMicrotask(() => {
      throw reason;
    });
  };
  listener.claims = claims;
  // `bun test` fails a test for each unhandled rejection, even if a listener handles it.
  let isSole = process.env["NODE_ENV"] !== "test" &&
    (process.listeners(EVENT) as Listener[]).every(isOurs);
  // If the program adds a listener of its own, that listener receives claimed rejections too.
  const added = (event: string, other: Listener): void => {
    if (event === EVENT && !isOurs(other)) isSole = false;
  };
  process.on("newListener", added);
  process.on(EVENT, listener);
  return {
    get isSole() {
      return isSole;
    },
    release() {
      process.off("newListener", added);
      process.off(EVENT, listener);
    },
  };
}

function isOurs(listener: Listener): boolean {
  return listener.claims !== undefined;
}
