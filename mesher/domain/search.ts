/**
 * The query language: `is:unresolved level:error release:1.2 environment:prod user:42 region:eu
 * "words"`. Deterministic and total.
 *
 * ```
 * is:          unresolved, resolved, archived (ignored), discarded, unassigned
 * level:       debug, info, warning, error, fatal
 * release:  environment: (env:)  user: (an id, an address, a name, an IP address)
 * assigned:    none, or a user's id
 * name:value   a tag, if the name is none of the above
 * other text   words, which may be in quotes
 * !            before a name or a word: issues that do not match it (`!level:info`)
 * ```
 *
 * Values with spaces are quoted: `release:"1.2 beta"`. A value that is invalid for its name is
 * rejected with its position.
 *
 * @module
 */
import { isLevel, type Level, LEVELS } from "./event.ts";

/** The values of `is:`, and the issue state that each selects. */
const STATES = {
  unresolved: "unresolved",
  resolved: "resolved",
  archived: "archived",
  ignored: "archived",
  discarded: "discarded",
} as const;

/** A parsed search. Absent conditions are not applied. */
export interface Search {
  readonly status?: typeof STATES[keyof typeof STATES];
  readonly level?: Level;
  readonly release?: string;
  readonly environment?: string;
  readonly user?: string;
  /** The id of the assigned user; null selects unassigned issues. */
  readonly assignedTo?: string | null;
  readonly tags?: Readonly<Record<string, string>>;
  /** The remaining words, separated by spaces. */
  readonly words: string;
  /** The conditions that issues must not match. */
  readonly not?: Negated;
}

/** The conditions of a search that an issue must not match. */
export interface Negated {
  readonly statuses: readonly typeof STATES[keyof typeof STATES][];
  readonly levels: readonly Level[];
  /** Ids of users that an issue may not be assigned to; null for unassigned issues. */
  readonly assignedTo: readonly (string | null)[];
  readonly words: readonly string[];
  /** Conditions that no event of the issue may match. */
  readonly events: readonly Pick<Search, "release" | "environment" | "user" | "tags">[];
}

/** The fault in an invalid search. */
export interface SearchFault {
  readonly reason: string;
  /** The position in the text, from 1. */
  readonly position: number;
}

/** The result of parsing a search. */
export type SearchResult =
  | { readonly ok: true; readonly search: Search }
  | { readonly ok: false; readonly fault: SearchFault };

/** Maximum number of parts of a search. A search with more parts is rejected. */
const PARTS_MAX = 32;
/** Maximum number of characters of a search. A longer search is rejected. */
const CHARS_MAX = 1_024;
const PART =
  /([!-]?)([A-Za-z_][\w.-]{0,63}):(?:"([^"]*)"|([^\s"]+)|(?=\s|$))|(!?)"([^"]+)"|[^\s"]+|"+/g;
/** Matches the names whose values are checked. */
const NAMES = /^(?:is|level|release|environment|env|assigned|user(?:\.(?:id|email|username|ip))?)$/;

/** Names of Sentry's search language that are not supported. As tags, they would match nothing. */
const UNKNOWN = /^(?:has|age|first_?seen|last_?seen|times_?seen|bookmarks)$/;
/** Matches the names whose values are searched as words of the title. */
const TITLE = /^(?:title|message)$/;

/** Parses a search. */
export function searchFrom(text: string): SearchResult {
  const found: { -readonly [K in keyof Search]: Search[K] } = { words: "" };
  const words: string[] = [];
  const tags: [string, string][] = [];
  const not = {
    statuses: [] as Negated["statuses"][number][],
    levels: [] as Level[],
    assignedTo: [] as (string | null)[],
    words: [] as string[],
    events: [] as Negated["events"][number][],
  };
  const seen = new Set<string>();
  const refuse = (reason: string, index: number): SearchResult => ({
    ok: false,
    fault: { reason, position: index + 1 },
  });
  if (text.length > CHARS_MAX) return refuse(`more than ${CHARS_MAX} characters`, CHARS_MAX);
  const matches = [...text.matchAll(PART)];
  if (matches.length > PARTS_MAX) {
    return refuse(`more than ${PARTS_MAX} parts`, matches[PARTS_MAX]!.index);
  }
  for (const match of matches) {
    const [whole, sign, rawName, quoted, plain, phraseSign, phrase] = match;
    const isNot = sign !== "" && sign !== undefined;
    const name = rawName?.toLowerCase() ?? "";
    const value = quoted ?? plain ?? "";
    const at = match.index;
    const valueAt = at + (sign ?? "").length + name.length + 1;
    const word = value.toLowerCase();
    if (name === "") {
      if (/^"+$/.test(whole) && (whole.length % 2 === 1)) return refuse("a quote has no end", at);
      const text = phrase ?? whole.replace(/^\*+(?=[^*])|(?<=[^*])\*+$/g, "");
      if (phraseSign === "!") not.words.push(text);
      else if (phrase === undefined && /^!\w/.test(text)) not.words.push(text.slice(1));
      else if (phrase !== undefined || !/^"+$/.test(whole)) words.push(text);
    } else if (UNKNOWN.test(name)) {
      return refuse(`${name}: is not supported`, at);
    } else if (!NAMES.test(name)) {
      if (value === "" || value.startsWith("//")) words.push(whole);
      else if (plain !== undefined && /\*|^[<>]=?\d/.test(plain)) {
        return refuse("wildcards and comparisons are not supported: quote the value", valueAt);
      } else if (TITLE.test(name)) (isNot ? not.words : words).push(value);
      else if (isNot) not.events.push({ tags: Object.fromEntries([[rawName!, value]]) });
      else tags.push([rawName!, value]);
    } else if (value === "") {
      if (text[valueAt] === '"' && quoted === undefined) {
        return refuse("a quote has no end", valueAt);
      }
      return refuse(`${name}: has no value`, valueAt);
    } else if (plain !== undefined && plain.includes("*")) {
      return refuse("wildcards are not supported: quote the value", valueAt);
    } else if (!isNot && name !== "is" && seen.size === seen.add(name).size) {
      return refuse(`${name}: occurs twice`, at);
    } else if (name === "is") {
      const status = Object.hasOwn(STATES, word) ? STATES[word as keyof typeof STATES] : undefined;
      if (status !== undefined) {
        if (isNot) not.statuses.push(status);
        else if (found.status !== undefined && found.status !== status) {
          return refuse("is: occurs twice", at);
        } else found.status = status;
      } else if (word === "unassigned" || word === "assigned") {
        if (isNot === (word === "unassigned")) not.assignedTo.push(null);
        else found.assignedTo = null;
      } else {
        const known = [...Object.keys(STATES), "assigned", "unassigned"].join(", ");
        return refuse(`is: has no state "${value}", but ${known}`, valueAt);
      }
    } else if (name === "level") {
      if (!isLevel(word)) {
        return refuse(`level: has no level "${value}", but ${LEVELS.join(", ")}`, valueAt);
      }
      if (isNot) not.levels.push(word);
      else found.level = word;
    } else if (isNot) {
      if (name === "assigned") not.assignedTo.push(value === "none" ? null : value);
      else if (name === "release") not.events.push({ release: value });
      else if (/^env/.test(name)) not.events.push({ environment: value });
      else not.events.push({ user: value });
    } else if (name === "release") found.release = value;
    else if (name === "environment" || name === "env") found.environment = value;
    else if (name === "assigned") found.assignedTo = value === "none" ? null : value;
    else found.user = value;
  }
  if (tags.length > 0) found.tags = Object.fromEntries(tags);
  found.words = words.join(" ").trim();
  if (Object.values(not).some((list) => list.length > 0)) found.not = not;
  return { ok: true, search: found };
}
