/**
 * Work that may fail: its waiting, its failure, and what a person reads of either.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { ApiError } from "../server/request.js";
import { button } from "./controls.js";
import { toast } from "./toast.js";

/** @import { Child } from "../dom.js" */

/**
 * What went wrong, in words for a person.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function wordsFor(error) {
  if (error instanceof ApiError) {
    if (error.status === 403) return "You may not do that.";
    return error.message;
  }
  return error instanceof Error ? error.message : String(error);
}

/**
 * Does something with a button disabled, and says what went wrong.
 *
 * @param {HTMLButtonElement | null} button
 * @param {() => Promise<unknown>} work
 * @returns {Promise<boolean>} Whether it was done.
 */
export async function attempt(button, work) {
  if (button !== null) button.disabled = true;
  try {
    await work();
    return true;
  } catch (error) {
    toast(wordsFor(error), { kind: "bad" });
    return false;
  } finally {
    if (button !== null) button.disabled = false;
  }
}

/**
 * Loads into an element: first its bones, then what `render` makes of the value, or why not and a
 * button to try again.
 *
 * @template T
 * @param {HTMLElement} box
 * @param {AbortSignal} signal
 * @param {() => Promise<T>} fetchIt
 * @param {(value: T) => Child | Child[]} render
 * @param {{ bones?: number, quiet?: boolean }} [options] `quiet`: what was there stays meanwhile.
 */
export async function load(box, signal, fetchIt, render, { bones = 4, quiet = false } = {}) {
  if (!quiet) fill(box, skeleton(bones));
  box.setAttribute("aria-busy", "true");
  try {
    const value = await fetchIt();
    if (signal.aborted) return;
    const made = render(value);
    fill(box, ...(Array.isArray(made) ? made : [made]));
  } catch (error) {
    if (signal.aborted) return;
    if (quiet && box.childElementCount > 0) toast(wordsFor(error), { kind: "bad" });
    else {
      const again = () => load(box, signal, fetchIt, render, { bones });
      fill(box, failure(wordsFor(error), again));
    }
  } finally {
    box.removeAttribute("aria-busy");
  }
}

/** @param {number} lines */
function skeleton(lines) {
  return h(
    "div",
    { class: "bones", role: "status", "aria-label": "Loading" },
    Array.from({ length: lines }, () => h("div", { class: "bone" })),
  );
}

/**
 * @param {string} words
 * @param {() => void} [again]
 */
export function failure(words, again) {
  return h(
    "div",
    { class: "empty", role: "alert" },
    h("strong", null, "This could not be loaded"),
    h("p", null, words),
    again && button("Try again", { onclick: again }),
  );
}
