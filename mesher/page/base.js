/**
 * The base URL of the page. The page may be under a prefix, which only its own URL contains.
 *
 * @module
 */

/** The URL of the page's folder, with a trailing slash. */
export const BASE = new URL(".", import.meta.url).href;
