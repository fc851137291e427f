/**
 * The selected rows of a list. A row is selected by its checkbox. With Shift, all rows between this
 * row and the row that was selected before are selected too.
 *
 * @module
 */

/** The ids of the selected rows. Emits `change`. */
export class Selection extends EventTarget {
  /** The ids of the selected rows. @type {Set<string>} */
  #ids = new Set();
  /** The row at which the next range begins: the last one changed. @type {string | null} */
  #last = null;

  /** Returns the number of selected rows. */
  get size() {
    return this.#ids.size;
  }

  /** Returns whether a row is selected. @param {string} id */
  has(id) {
    return this.#ids.has(id);
  }

  /**
   * Selects or deselects a row. With `range`, also selects or deselects all rows between this row
   * and the row that was selected or deselected before.
   *
   * @param {string} id
   * @param {boolean} picked
   * @param {readonly string[]} [range] All ids, in their order.
   */
  set(id, picked, range = []) {
    const [a, b] = [range.indexOf(id), range.indexOf(this.#last ?? "")];
    const ids = a === -1 || b === -1 ? [id] : range.slice(Math.min(a, b), Math.max(a, b) + 1);
    this.#last = id;
    this.setAll(ids, picked);
  }

  /**
   * Selects or deselects these rows.
   *
   * @param {readonly string[]} ids
   * @param {boolean} picked
   */
  setAll(ids, picked) {
    for (const id of ids) {
      if (picked) this.#ids.add(id);
      else this.#ids.delete(id);
    }
    this.dispatchEvent(new Event("change"));
  }

  /** Deselects all rows. */
  clear() {
    this.#last = null;
    this.setAll([...this.#ids], false);
  }
}
