/**
 * An actor system with the host's clock, without a mesh, keys and a log.
 *
 * @module
 */
import { System } from "../../lib/actor/system.ts";
import { systemHost } from "../../lib/start.ts";

/** Creates a system that handles unhandled rejections as a node does. */
export function benchSystem(): System {
  const host = systemHost();
  const system = new System({ node: "bench@127.0.0.1:0", creation: 1, local: true }, host);
  system.claimRejections(host);
  return system;
}

/** Lets code wait for an event repeatedly: `next` returns a promise, and `give` resolves it. */
export class Latch {
  #give: () => void = () => {};

  /** Resolves at the next `give`. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#give = resolve);
  }

  /** Resolves the promise that `next` returned last. */
  give(): void {
    this.#give();
  }
}
