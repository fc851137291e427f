/**
 * Keyboard shortcuts: single keys and pairs (`g d`), disabled while the user types in a field.
 *
 * @module
 */

/**
 * Functions by the key, or the pair of keys, that calls them.
 *
 * @typedef {Record<string, (event: KeyboardEvent) => void>} Bindings
 */

/** Maximum time between the two keys of a pair, in milliseconds. */
const PAIR_MS = 1_200;

/** The current key bindings. The bindings that were added last are checked first. */
export class Keys {
  /** The bindings, in the order in which they were added. @type {Bindings[]} */
  #layers = [];
  #first = "";
  #firstAt = 0;

  constructor() {
    document.addEventListener("keydown", (event) => this.#press(event));
  }

  /**
   * Adds bindings, which take precedence over those added before.
   *
   * @param {Bindings} bindings
   * @param {AbortSignal} [signal] Removes the bindings when it is aborted.
   */
  bind(bindings, signal) {
    this.#layers.push(bindings);
    signal?.addEventListener("abort", () => {
      this.#layers = this.#layers.filter((layer) => layer !== bindings);
    });
  }

  /**
   * Handles a pressed key: the second key of a pair, or else a single key.
   *
   * @param {KeyboardEvent} event
   */
  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const pair = `${this.#first} ${event.key}`;
    const inTime = this.#first !== "" && event.timeStamp - this.#firstAt < PAIR_MS;
    if (inTime && this.#run(pair, event)) {
      this.#first = "";
      return;
    }
    this.#first = event.key;
    this.#firstAt = event.timeStamp;
    this.#run(event.key, event);
  }

  /**
   * Calls the function of a key or of a pair. Returns whether there is one.
   *
   * @param {string} name
   * @param {KeyboardEvent} event
   * @returns {boolean}
   */
  #run(name, event) {
    for (const layer of this.#layers.toReversed()) {
      const action = Object.hasOwn(layer, name) ? layer[name] : undefined;
      if (action === undefined) continue;
      event.preventDefault();
      action(event);
      return true;
    }
    return false;
  }
}

/**
 * Returns whether the user types into this element.
 *
 * @param {EventTarget | null} target
 * @returns {boolean}
 */
function isTyping(target) {
  return target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
    target.getAttribute("type") !== "checkbox";
}

/**
 * Moves the focus up or down between rows: the links with `data-row` in this element.
 *
 * @param {Element} list
 * @param {number} step
 */
export function moveRow(list, step) {
  const rows = [...list.querySelectorAll("[data-row]")];
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.closest("li, tr")?.contains(document.activeElement));
  const to = at === -1 ? (step > 0 ? 0 : rows.length - 1) : at + step;
  const row = rows[Math.max(0, Math.min(rows.length - 1, to))];
  if (row instanceof HTMLElement) {
    row.focus();
    row.scrollIntoView({ block: "nearest" });
  }
}
