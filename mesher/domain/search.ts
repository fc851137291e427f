/**
 * The query language: `is:unresolved level:error release:1.2 environment:prod user:42 region:eu "words"`.
 * Deterministic and total.
 *
 * ```
 * is:          unresolved, resolved, archived (ignored), discarded, unassigned
 * level:       debug, info, warning, error, fatal
 * release:  environment: (env:)  user: (an id, an address, a name, an IP address)
 * assigned:    none, or a user's id
 * name:value   a tag, where the name is none of these
 * the rest     words; in quotes, too
 * ```
 *
 * Values with spaces are quoted: `release:"1.2 beta"`. A part without a valid value for its name is a word.
 *
 * @module
 */
import { isLevel, type Level } from "./event.ts";

/** The values of `is:`, and the states they select. */
const STATES = {
  unresolved: "unresolved",
  resolved: "resolved",
  archived: "archived",
  ignored: "archived",
  discarded: "discarded",
} as const;

/** The conditions of a search. Absent conditions are not applied. */
export interface Search {
  readonly status?: typeof STATES[keyof typeof STATES];
  readonly level?: Level;
  readonly release?: string;
  readonly environment?: string;
  readonly user?: string;
  /** A user's id; null: not assigned. */
  readonly assignedTo?: string | null;
  readonly tags?: Readonly<Record<string, string>>;
  /** The remaining words, separated by spaces. */
  readonly words: string;
}

/** Maximum number of parts of a search. */
const PARTS_MAX = 32;
const PART = /([A-Za-z_][\w.-]{0,63}):(?:"([^"]*)"|([^\s"]+))|"([^"]+)"|[^\s"]+|"+/g;

/** Reads a search. */
export function searchFrom(text: string): Search {
  const found: { -readonly [K in keyof Search]: Search[K] } = { words: "" };
  const words: string[] = [];
  const tags: [string, string][] = [];
  for (const match of [...text.slice(0, 2_048).matchAll(PART)].slice(0, PARTS_MAX)) {
    const [whole, rawName, quoted, plain, phrase] = match;
    const name = rawName?.toLowerCase();
    const value = quoted ?? plain ?? "";
    if (name === undefined) words.push(phrase ?? whole);
    else if (value === "" || value.startsWith("//")) words.push(whole);
    else if (name === "is" && Object.hasOwn(STATES, value.toLowerCase())) {
      found.status = STATES[value.toLowerCase() as keyof typeof STATES];
    } else if (name === "is" && value.toLowerCase() === "unassigned") found.assignedTo = null;
    else if (name === "level" && isLevel(value.toLowerCase())) {
      found.level = value.toLowerCase() as Level;
    } else if (name === "release") found.release = value;
    else if (name === "environment" || name === "env") found.environment = value;
    else if (/^user(?:\.(?:id|email|username|ip))?$/.test(name)) found.user = value;
    else if (name === "assigned") found.assignedTo = value === "none" ? null : value;
    else if (name === "is" || name === "level") words.push(whole);
    else tags.push([rawName!, value]);
  }
  if (tags.length > 0) found.tags = Object.fromEntries(tags);
  found.words = words.join(" ").trim();
  return found;
}
