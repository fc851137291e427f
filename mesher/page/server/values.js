/**
 * Converts the API's JSON to the page's types: readers of single fields, and `shape`, which builds
 * an object from a table of readers. A missing value or one of another type becomes empty, so that
 * no view breaks with an older or newer server.
 *
 * @module
 */

/** An object of parsed JSON, with any properties. @typedef {Record<string, unknown>} Raw */
/** @import { Page } from "../model.js" */

/**
 * A function that reads one value from an object.
 *
 * @template T
 * @typedef {(raw: Raw) => T} Reader
 */

/**
 * Returns the value if it is an object, otherwise an empty object.
 *
 * @param {unknown} value
 * @returns {Raw}
 */
export function objectOf(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? /** @type {Raw} */ (value)
    : {};
}

/**
 * Returns the rows of a JSON list, or of one page of a list, as objects.
 *
 * @param {unknown} value
 * @returns {Raw[]}
 */
export function listOf(value) {
  const list = Array.isArray(value) ? value : objectOf(value).data;
  return Array.isArray(list) ? list.map(objectOf) : [];
}

/**
 * Returns a text or a number as text; "" for any other value.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function textOf(value) {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

/**
 * Returns the value if it is a finite number, otherwise null.
 *
 * @param {unknown} value
 * @returns {number | null}
 */
export function numberOf(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/**
 * Returns a time in milliseconds from ISO 8601 or milliseconds; otherwise null.
 *
 * @param {unknown} value
 * @returns {number | null}
 */
export function timeOf(value) {
  return numberOf(typeof value === "string" ? Date.parse(value) : value);
}

/**
 * Returns the properties of an object as pairs of a name and a text.
 *
 * @param {unknown} value
 * @returns {[string, string][]}
 */
export function pairsOf(value) {
  return Object.entries(objectOf(value)).map(([key, one]) => [key, textOf(one)]);
}

/**
 * Returns a function that builds objects with a table of readers.
 *
 * @template {Record<string, Reader<unknown>>} Fields
 * @param {Fields} fields
 * @returns {(value: unknown) => { [Name in keyof Fields]: ReturnType<Fields[Name]> }}
 */
export function shape(fields) {
  return (value) => {
    const raw = objectOf(value);
    const entries = Object.entries(fields).map(([name, read]) => [name, read(raw)]);
    return Object.fromEntries(entries);
  };
}

/**
 * Returns a function that reads a text: the value of the first of these properties that is a number
 * or a non-empty string. The function returns "" if there is none.
 *
 * @param {...string} names
 * @returns {Reader<string>}
 */
export function text(...names) {
  return (raw) => names.map((name) => textOf(raw[name])).find((one) => one !== "") ?? "";
}

/**
 * Returns a function that reads a text: the value of the first of these properties that is a number
 * or a non-empty string. The function returns null if there is none.
 *
 * @param {...string} names
 * @returns {Reader<string | null>}
 */
export function maybeText(...names) {
  const read = text(...names);
  return (raw) => read(raw) || null;
}

/**
 * Returns a function that reads a number, or returns `otherwise` if there is none.
 *
 * @param {string} name
 * @param {number} [otherwise]
 */
export function number(name, otherwise = 0) {
  return (/** @type {Raw} */ raw) => numberOf(raw[name]) ?? otherwise;
}

/**
 * Returns a function that reads the first of these properties that is a number, or returns null.
 *
 * @param {...string} names
 * @returns {Reader<number | null>}
 */
export function maybeNumber(...names) {
  return (raw) => names.map((name) => numberOf(raw[name])).find((n) => n !== null) ?? null;
}

/**
 * Returns a function that reads the first of these properties that is a time, or returns null.
 *
 * @param {...string} names
 * @returns {Reader<number | null>}
 */
export function time(...names) {
  return (raw) => names.map((name) => timeOf(raw[name])).find((at) => at !== null) ?? null;
}

/**
 * Returns a function that reads whether a property is true.
 *
 * @param {string} name
 * @returns {Reader<boolean>}
 */
export function flag(name) {
  return (raw) => raw[name] === true;
}

/**
 * Returns a function that reads the first of these properties that is a boolean, or returns null.
 *
 * @param {...string} names
 * @returns {Reader<boolean | null>}
 */
export function maybeFlag(...names) {
  return (raw) => {
    const value = names.map((name) => raw[name]).find((one) => typeof one === "boolean");
    return typeof value === "boolean" ? value : null;
  };
}

/**
 * Returns a function that reads a property whose value is one of `words`. Any other value becomes
 * the first word.
 *
 * @template {readonly [string, ...string[]]} Words
 * @param {string} name
 * @param {Words} words
 * @returns {Reader<Words[number]>}
 */
export function oneOf(name, words) {
  return (raw) => words.find((word) => word === raw[name]) ?? words[0];
}

/**
 * Returns a function that reads pairs of a name and a text.
 *
 * @param {...string} names
 * @returns {Reader<[string, string][]>}
 */
export function pairs(...names) {
  return (raw) => pairsOf(names.map((name) => raw[name]).find(Boolean));
}

/**
 * Returns a function that reads an object with any properties.
 *
 * @param {string} name
 * @returns {Reader<Raw>}
 */
export function object(name) {
  return (raw) => objectOf(raw[name]);
}

/**
 * Returns a function that reads a list of texts.
 *
 * @param {...string} names
 * @returns {Reader<string[]>}
 */
export function texts(...names) {
  return (raw) => {
    const list = names.map((name) => raw[name]).find(Array.isArray);
    return list === undefined ? [] : list.map(textOf);
  };
}

/**
 * Returns a function that reads a list of objects.
 *
 * @template T
 * @param {string} name
 * @param {(value: unknown) => T} from
 * @returns {Reader<T[]>}
 */
export function list(name, from) {
  return (raw) => listOf(raw[name]).map(from);
}

/**
 * Converts JSON to a page of rows. The `next` of the page is added to the query of the next
 * request.
 *
 * @template T
 * @param {unknown} value
 * @param {(row: unknown) => T} from
 * @returns {Page<T>}
 */
export function pageFrom(value, from) {
  const raw = objectOf(value);
  const cursor = textOf(raw.next_cursor);
  const id = textOf(raw.next_cursor_id);
  return {
    rows: listOf(value).map(from),
    next: raw.has_more === true && cursor !== ""
      ? { cursor, ...(id === "" ? {} : { cursor_id: id }) }
      : null,
  };
}
