/**
 * What search finds by: the words of a text. Both databases get the words and not the text, so that
 * they find the same.
 *
 * A word is a run of letters, digits and underscores, in lower case; `TypeError` is three of them:
 * `typeerror`, `type`, `error`.
 *
 * @module
 */

import type { EventUser } from "./event.ts";

/** At most this many different words are kept of one text; the rest is not found by. */
export const WORDS_MAX = 250;
/** Longer words are cut to this, when they are stored and when they are searched. */
export const WORD_CHARS_MAX = 64;
/** Of a query only the first words count. */
export const QUERY_WORDS_MAX = 12;
/** Of a text only the beginning is read. */
const TEXT_CHARS_MAX = 16_384;

/** Kinds of code units, as bits. */
const [OTHER, LOWER, UPPER, DIGIT, UNDERSCORE, NOT_ASCII] = [0, 1, 2, 4, 8, 16];

const RUN = /[\p{L}\p{N}\p{M}_]+/gu;
const HUMPS = /\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{N}+/gu;

/** The different words of a text, in the order in which they first come. */
export function wordsOf(text: string): string[] {
  const read = text.slice(0, TEXT_CHARS_MAX);
  return asciiWordsOf(read) ?? unicodeWordsOf(read);
}

/** By Unicode's classes, whatever the text holds. */
export function unicodeWordsOf(text: string): string[] {
  const words = new Set<string>();
  for (const run of text.match(RUN) ?? []) {
    words.add(wordFrom(run));
    const humps = run.match(HUMPS) ?? [];
    if (humps.length > 1) { for (const hump of humps) words.add(wordFrom(hump)); }
    if (words.size >= WORDS_MAX) break;
  }
  return [...words].slice(0, WORDS_MAX);
}

/** The same of a text in ASCII, as nearly all are, twice as fast; null: it is not. */
export function asciiWordsOf(text: string): string[] | null {
  const lower = text.toLowerCase();
  const words = new Set<string>();
  let at = 0;
  while (at < text.length && words.size < WORDS_MAX) {
    const begin = at;
    // Which kinds there are, as bits.
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
    // Of one kind: it is its only hump.
    if (kinds !== LOWER && kinds !== DIGIT) addHumps(words, text, lower, begin, at);
  }
  for (; at < text.length; at++) if (text.charCodeAt(at) > 127) return null;
  return [...words].slice(0, WORDS_MAX);
}

/** The humps of a run in ASCII, if there are several. */
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
      // The last capital begins the word that follows.
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

/** What a code unit is, for the walk through ASCII. */
function kindOf(code: number): number {
  if (code >= 97 && code <= 122) return LOWER;
  if (code >= 65 && code <= 90) return UPPER;
  if (code >= 48 && code <= 57) return DIGIT;
  if (code === 95) return UNDERSCORE;
  return code > 127 ? NOT_ASCII : OTHER;
}

/** The words that a query asks for. The last may be the beginning of one. */
export function queryWords(query: string): string[] {
  const runs = query.slice(0, TEXT_CHARS_MAX).match(RUN) ?? [];
  return runs.slice(0, QUERY_WORDS_MAX).map(wordFrom);
}

/** Code units are cut, never half of a pair. */
function wordFrom(run: string): string {
  return folded(run).slice(0, WORD_CHARS_MAX).replace(/[\ud800-\udbff]$/, "");
}

/** Letters that Unicode does not take apart. */
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

/** The text in lower case, without accents: what is compared when texts are searched. */
export function folded(text: string): string {
  const lower = text.toLowerCase();
  // deno-lint-ignore no-control-regex
  if (!/[^\x00-\x7f]/.test(lower)) return lower;
  return lower.normalize("NFD").replace(/[\u0300-\u036f]/g, "").normalize("NFC")
    .replace(/[ßæœøłđðþı]/g, (letter) => LETTERS[letter]!);
}

/** What an event can be found by exactly, besides its words. */
export interface Marked {
  readonly level: string;
  readonly environment: string | null;
  readonly release: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly user: EventUser | null;
}

/** At most this many marks of an event are kept. */
const MARKS_MAX = 80;

/**
 * The marks of an event: words that no text has, one for each value by which events are filtered, so that a rare
 * value is found as a rare word is.
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

/** The mark of one value. */
export function markOf(
  kind: "level" | "environment" | "release" | "user" | "tag",
  value: string,
): string {
  // Two multiplications of 32 bits each: a chance of one in 10^19 that two values share a mark.
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x5bd1e995) ^ a >>> 15;
  }
  const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, "0");
  return `__${kind[0]}${hex(a)}${hex(b)}`;
}
