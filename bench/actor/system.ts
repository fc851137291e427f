/**
 * A system of actors with the machine's clock and nothing else: no mesh, no keys, no log.
 *
 * @module
 */
import { System } from "../../lib/actor/system.ts";
import { systemHost } from "../../lib/start.ts";

/** Makes one, which like that of a node takes the rejections that nothing handles. */
export function benchSystem(): System {
  const host = systemHost();
  const system = new System({ node: "bench@127.0.0.1:0", creation: 1, local: true }, host);
  system.claimRejections(host);
  return system;
}

/** A promise that code elsewhere fulfils, again and again: each `next` waits for the next `give`. */
export class Latch {
  #give: () => void = () => {};

  /** Waits. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#give = resolve);
  }

  /** Fulfils what `next` gave last. */
  give(): void {
    this.#give();
  }
}
