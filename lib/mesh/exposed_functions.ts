/**
 * Stores the names of the functions that this node and each peer expose. Peers receive the names in
 * the handshake, and later changes in EXPOSED messages.
 *
 * @module
 */
import { encodeExposed, LIST_COUNT_MAX, listThatFits } from "./message.ts";

/**
 * Maximum number of exposed functions that are stored for one peer. The names of further functions
 * are not stored.
 */
const EXPOSED_MAX = 65_536;

/** Stores the names of the exposed functions of each node. */
export class ExposedFunctions {
  /** The names of the functions that this node exposes. */
  own: readonly string[] = [];
  readonly #byPeer = new Map<string, Set<string>>();

  /**
   * Called when a session has opened. `names`: the functions that the peer has sent in the
   * handshake.
   */
  up(peer: string, names: readonly string[]): void {
    this.#byPeer.set(peer, new Set(names));
  }

  /** Called when a session has ended. Removes the functions of the peer. */
  down(peer: string): void {
    this.#byPeer.delete(peer);
  }

  /** Called when a peer has exposed or unexposed functions: updates the stored names. */
  changed(peer: string, added: boolean, names: readonly string[]): void {
    const exposed = this.#byPeer.get(peer);
    for (const name of names) {
      if (!added) exposed?.delete(name);
      else if (exposed !== undefined && exposed.size < EXPOSED_MAX) exposed.add(name);
    }
  }

  /** Returns the functions of a peer, sorted, or undefined if there is no session with it. */
  of(peer: string): string[] | undefined {
    const exposed = this.#byPeer.get(peer);
    return exposed && [...exposed].sort();
  }

  /**
   * Returns EXPOSED frames with the names that did not fit into the handshake, and with the changes
   * since the handshake. `inHandshake`: the functions of this node at the time of the handshake.
   */
  since(inHandshake: readonly string[]): Uint8Array[] {
    const sent = new Set(listThatFits(inHandshake));
    const now = new Set(this.own);
    const changes = [[false, sent.difference(now)], [true, now.difference(sent)]] as const;
    const frames: Uint8Array[] = [];
    for (const [added, names] of changes) {
      const list = [...names];
      for (let i = 0; i < list.length; i += LIST_COUNT_MAX) {
        frames.push(encodeExposed(added, list.slice(i, i + LIST_COUNT_MAX)));
      }
    }
    return frames;
  }
}
