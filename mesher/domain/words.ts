/**
 * Splits a text into the words by which a search finds it. Both databases store these words and not
 * the text, so that they find the same results.
 *
 * A word is a run of letters, digits and underscores, in lower case. `TypeError` has three words:
 * `typeerror`, `type`, `error`.
 *
 * @module
 */

import type { EventUser } from "./event.ts";

/** Maximum number of different words stored for one text. Further words cannot be found. */
export const WORDS_MAX = 250;
/** Maximum length of a word. A longer word is truncated when it is stored and searched. */
export const WORD_CHARS_MAX = 64;
/** Maximum number of words of a query. Further words are ignored. */
export const QUERY_WORDS_MAX = 12;
/** Maximum number of code units of a text that are read. Words after them cannot be found. */
const TEXT_CHARS_MAX = 16_384;

/** Kinds of code units, as bits. */
const [OTHER, LOWER, UPPER, DIGIT, UNDERSCORE, NOT_ASCII] = [0, 1, 2, 4, 8, 16];

const RUN = /[\p{L}\p{N}\p{M}_]+/gu;
const HUMPS = /\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{N}+/gu;

/** Returns the different words of a text, in the order of first occurrence. */
export function wordsOf(text: string): string[] {
  const read = text.slice(0, TEXT_CHARS_MAX);
  return asciiWordsOf(read) ?? unicodeWordsOf(read);
}

/** Returns the words of any text, by the character classes of Unicode. */
export function unicodeWordsOf(text: string): string[] {
  const words = new Set<string>();
  for (const run of new Set(text.match(RUN))) {
    words.add(wordFrom(run));
    const humps = run.match(HUMPS) ?? [];
    if (humps.length > 1) { for (const hump of humps) words.add(wordFrom(hump)); }
    if (words.size >= WORDS_MAX) break;
  }
  return [...words].slice(0, WORDS_MAX);
}

/**
 * Returns the same words as `unicodeWordsOf`, in half the time, if the text is ASCII. Returns null
 * for any other text. Nearly all texts are ASCII.
 */
export function asciiWordsOf(text: string): string[] | null {
  const lower = text.toLowerCase();
  const words = new Set<string>();
  let at = 0;
  while (at < text.length && words.size < WORDS_MAX) {
    const begin = at;
    // The kinds of code units that occur in this run, as bits.
    let kinds = 0;
    for (let kind; at < text.length && (kind = kindOf(text.charCodeAt(at))) !== OTHER; at++) {
      if (kind === NOT_ASCII) return null;
      kinds |= kind;
    }
    if (at === begin) {
      at++;
      continue;
    }
    words.add(lower.slice(begin, Math.min(at, begin + WORD_CHARS_MAX)));
    // A run of only lower-case letters or only digits consists of one word.
    if (kinds !== LOWER && kinds !== DIGIT) addHumps(words, text, lower, begin, at);
  }
  for (; at < text.length; at++) if (text.charCodeAt(at) > 127) return null;
  return [...words].slice(0, WORDS_MAX);
}

/**
 * Adds the parts of an ASCII run to `words` if it has several: `TypeError` has `type` and `error`.
 */
function addHumps(
  words: Set<string>,
  text: string,
  lower: string,
  begin: number,
  end: number,
): void {
  const bounds: number[] = [];
  for (let at = begin; at < end;) {
    const from = at;
    const kind = kindOf(text.charCodeAt(at));
    do at++; while (at < end && kindOf(text.charCodeAt(at)) === kind);
    if (kind === UNDERSCORE) continue;
    if (kind === UPPER && at < end && kindOf(text.charCodeAt(at)) === LOWER) {
      // The last of several capitals begins the next word: `HTTPError` has `http` and `error`.
      if (at - from > 1) at--;
      else do at++; while (at < end && kindOf(text.charCodeAt(at)) === LOWER);
    }
    bounds.push(from, at);
  }
  if (bounds.length <= 2) return;
  for (let i = 0; i < bounds.length; i += 2) {
    const from = bounds[i]!;
    words.add(lower.slice(from, Math.min(bounds[i + 1]!, from + WORD_CHARS_MAX)));
  }
}

/** Returns the kind of a code unit. All code units beyond ASCII are of one kind. */
function kindOf(code: number): number {
  if (code >= 97 && code <= 122) return LOWER;
  if (code >= 65 && code <= 90) return UPPER;
  if (code >= 48 && code <= 57) return DIGIT;
  if (code === 95) return UNDERSCORE;
  return code > 127 ? NOT_ASCII : OTHER;
}

/** Returns the words of a query. The last word may be a prefix. */
export function queryWords(query: string): string[] {
  const runs = query.slice(0, TEXT_CHARS_MAX).match(RUN) ?? [];
  return runs.slice(0, QUERY_WORDS_MAX).map(wordFrom);
}

/**
 * Returns the word for a run of characters: folded, and truncated without cutting a surrogate pair.
 */
function wordFrom(run: string): string {
  return folded(run).slice(0, WORD_CHARS_MAX).replace(/[\ud800-\udbff]$/, "");
}

/** Replacements of letters that Unicode does not decompose. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: "ss",
  æ: "ae",
  œ: "oe",
  ø: "o",
  ł: "l",
  đ: "d",
  ð: "d",
  þ: "th",
  ı: "i",
};

/** Returns the text in lower case without accents, which searches compare. */
export function folded(text: string): string {
  const lower = text.toLowerCase();
  // deno-lint-ignore no-control-regex
  if (!/[^\x00-\x7f]/.test(lower)) return lower;
  return lower.normalize("NFD").replace(/[\u0300-\u036f]/g, "").normalize("NFC")
    .replace(/[ßæœøłđðþı]/g, (letter) => LETTERS[letter]!);
}

/** The fields by which an event can be found exactly, in addition to its words. */
export interface Marked {
  readonly level: string;
  readonly environment: string | null;
  readonly release: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly user: EventUser | null;
}

/** Maximum number of marks stored for an event. */
const MARKS_MAX = 80;

/**
 * Returns the marks of an event: artificial words, one for each value by which events are filtered.
 * A rare value is then found as fast as a rare word.
 */
export function marksOf({ level, environment, release, tags, user }: Marked): string[] {
  const marks = [markOf("level", level)];
  if (environment !== null) marks.push(markOf("environment", environment));
  if (release !== null) marks.push(markOf("release", release));
  for (const part of Object.values(user ?? {})) {
    if (part !== null) marks.push(markOf("user", part.toLowerCase()));
  }
  for (const [key, value] of Object.entries(tags)) marks.push(markOf("tag", `${key}=${value}`));
  return [...new Set(marks)].slice(0, MARKS_MAX);
}

/** Returns the mark of one value. */
export function markOf(
  kind: "level" | "environment" | "release" | "user" | "tag",
  value: string,
): string {
  // Two hashes of 32 bits: two values share a mark with a probability of 1 in 10^19.
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x5bd1e995) ^ a >>> 15;
  }
  const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, "0");
  return `__${kind[0]}${hex(a)}${hex(b)}`;
}
