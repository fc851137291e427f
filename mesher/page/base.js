/**
 * The base path of the page: it may be under a prefix, which only its own URL shows.
 *
 * @module
 */

/** With a trailing slash. */
export const BASE = new URL(".", import.meta.url).href;
