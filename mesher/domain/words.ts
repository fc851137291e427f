/**
 * What search finds by: the words of a text. Both databases get the words and not the text, so that
 * they find the same.
 *
 * A word is a run of letters, digits and underscores, in lower case; `TypeError` is three of them:
 * `typeerror`, `type`, `error`.
 *
 * @module
 */

/** At most this many different words are kept of one text; the rest is not found by. */
export const WORDS_MAX = 250;
/** Longer words are cut to this, when they are stored and when they are searched. */
export const WORD_CHARS_MAX = 64;
/** Of a query only the first words count. */
export const QUERY_WORDS_MAX = 12;
/** Of a text only the beginning is read. */
const TEXT_CHARS_MAX = 16_384;

const RUN = /[\p{L}\p{N}\p{M}_]+/gu;
const HUMPS = /\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{N}+/gu;

/** The different words of a text, in the order in which they first come. */
export function wordsOf(text: string): string[] {
  const words = new Set<string>();
  for (const [run] of text.slice(0, TEXT_CHARS_MAX).matchAll(RUN)) {
    words.add(wordFrom(run));
    const humps = run.match(HUMPS) ?? [];
    if (humps.length > 1) { for (const hump of humps) words.add(wordFrom(hump)); }
    if (words.size >= WORDS_MAX) break;
  }
  return [...words].slice(0, WORDS_MAX);
}

/** The words that a query asks for. The last may be the beginning of one. */
export function queryWords(query: string): string[] {
  const runs = query.slice(0, TEXT_CHARS_MAX).match(RUN) ?? [];
  return runs.slice(0, QUERY_WORDS_MAX).map(wordFrom);
}

/** Code units are cut, never half of a pair. */
function wordFrom(run: string): string {
  return run.toLowerCase().slice(0, WORD_CHARS_MAX).replace(/[\ud800-\udbff]$/, "");
}
