/**
 * The base path of the page: it may be under a prefix, which only its own URL shows.
 *
 * @module
 */

/** The URL of the page's folder, with a trailing slash. */
export const BASE = new URL(".", import.meta.url).href;
