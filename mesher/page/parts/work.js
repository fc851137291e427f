/**
 * Runs operations that may fail, and shows that they are in progress or have failed.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { ApiError } from "../server/request.js";
import { button } from "./controls.js";
import { toast } from "./toast.js";

/** @import { Child } from "../dom.js" */

/**
 * Returns a text about an error, for users.
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
 * Runs an operation with its button disabled, and shows an error.
 *
 * @param {HTMLButtonElement | null} button
 * @param {() => Promise<unknown>} work
 * @returns {Promise<boolean>} Whether it succeeded.
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
 * Loads a value into an element: first shows placeholders, then the result of `render`, or an error
 * and a button to retry.
 *
 * @template T
 * @param {HTMLElement} box
 * @param {AbortSignal} signal
 * @param {() => Promise<T>} fetchIt
 * @param {(value: T) => Child | Child[]} render
 * @param {{ bones?: number, quiet?: boolean }} [options] `bones`: the number of placeholder lines.
 * `quiet`: the previous content stays until the value has arrived.
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

/**
 * Creates the foot of a list, with a button that adds the next page if there is one.
 *
 * @template Query
 * @param {Query | null} next The query of the next page.
 * @param {(next: Query) => Promise<HTMLElement>} more Fetches and adds that page; resolves with the new foot.
 */
export function listFoot(next, more) {
  const foot = h("div", { class: "list-foot" });
  if (next === null) return foot;
  const further = button("Show more", {
    onclick: () =>
      attempt(further, async () => {
        foot.replaceWith(await more(next));
      }),
  });
  foot.append(further);
  return foot;
}

/** Draws placeholders while content is being loaded. @param {number} lines */
function skeleton(lines) {
  return h(
    "div",
    { class: "bones", role: "status", "aria-label": "Loading" },
    Array.from({ length: lines }, () => h("div", { class: "bone" })),
  );
}

/**
 * Draws an error in place of content that could not be loaded.
 *
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
