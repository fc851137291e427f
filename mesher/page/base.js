/**
 * Where the page is: it may be under a path prefix, which only its own address tells.
 *
 * @module
 */

/** With a slash at its end. */
export const BASE = new URL(".", import.meta.url).href;
