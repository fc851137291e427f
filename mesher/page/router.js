/**
 * Reads and changes the place within the page, which is the part of the URL after `#`, such as
 * `#/issues?status=resolved`. Browsers do not send this part to the server.
 *
 * @module
 */

/**
 * A place within the page: its path, the parts of the path, and its query.
 *
 * @typedef {{ path: string, parts: string[], query: URLSearchParams }} Place
 */

/**
 * Returns the current place.
 *
 * @param {string} [hash]
 * @returns {Place}
 */
export function placeFrom(hash = location.hash) {
  const [path = "", query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const parts = path.split("/").filter(Boolean).map(decode);
  return { path: `/${parts.join("/")}`, parts, query: new URLSearchParams(query) };
}

/**
 * Decodes a part of a URL. Returns it unchanged if it is malformed.
 *
 * @param {string} text
 * @returns {string}
 */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Returns the URL of a place. Empty values are omitted from the query.
 *
 * @param {readonly string[]} parts
 * @param {Record<string, string | null | undefined>} [query]
 * @returns {string}
 */
export function href(parts, query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value);
  const search = new URLSearchParams(/** @type {[string, string][]} */ (kept)).toString();
  const path = parts.map(encodeURIComponent).join("/");
  return `#/${path}${search === "" ? "" : `?${search}`}`;
}

/**
 * Navigates to the URL of a place.
 *
 * @param {string} address
 */
export function go(address) {
  location.hash = address;
}

/**
 * Returns the same place with another query.
 *
 * @param {Place} place
 * @param {Record<string, string | null | undefined>} changes
 * @returns {string}
 */
export function withQuery(place, changes) {
  return href(place.parts, { ...Object.fromEntries(place.query), ...changes });
}
