/**
 * A system of actors with the machine's clock and nothing else: no mesh, no keys, no log.
 *
 * @module
 */
import { System } from "../../lib/actor/system.ts";
import { systemHost } from "../../lib/start.ts";

/** Makes one. */
export function benchSystem(): System {
  return new System({ node: "bench@127.0.0.1:0", creation: 1, local: true }, systemHost());
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
