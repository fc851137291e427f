/**
 * Removes the parts of a text that differ between occurrences of an error: numbers, ids, addresses,
 * dates, quoted data. `user 17 not found` and `user 18 not found` are therefore equal.
 * Deterministic.
 *
 * @module
 */
import { isIPv6 } from "node:net";

/** Maximum number of characters that are read of a text. */
const TEXT_CHARS_MAX = 2_048;

const MONTH = "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|" +
  "sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)";
const WEEKDAY = "(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?";
const CLOCK = "\\d{1,2}:\\d{2}(?::\\d{2}(?:[.,]\\d{1,9})?)?(?:\\s?[ap]m)?";
const ZONE = "\\s?(?:z\\b|(?:gmt|utc|ces?t|e[sd]t|c[sd]t|m[sd]t|p[sd]t|bst|ist|jst)\\b)?" +
  "(?:\\s?[+-]\\d{2}:?\\d{2}(?:\\s(?:gmt|utc|ces?t|bst|ist)\\b)?)?(?:\\s\\([a-z ]{1,40}\\))?";
const DAY = "\\d{1,2}(?:st|nd|rd|th)?";

/** Matches dates with the names of months or days, dates in digits, and times of the day. */
const DATES = new RegExp(
  [
    `(?:\\b${WEEKDAY},?\\s+)?(?:\\b${DAY}[\\s-](?:of\\s)?${MONTH}\\b(?:[\\s,-]+\\d{4})?|` +
    `\\b${MONTH}\\.?\\s${DAY}\\b(?!:)(?:,?\\s\\d{4}\\b)?|\\b${MONTH}\\s\\d{4}\\b)` +
    `(?:,?\\s(?:at\\s)?${CLOCK}${ZONE}(?:\\s\\d{4}\\b)?)?`,
    // Matches the format of dates in Apache's logs.
    `\\b\\d{1,2}/${MONTH}/\\d{4}:${CLOCK}${ZONE}`,
    `\\b\\d{4}-\\d{2}-\\d{2}(?:[t ]${CLOCK}${ZONE})?`,
    `\\b\\d{1,2}[/.]\\d{1,2}[/.]\\d{4}(?:,?\\s${CLOCK}${ZONE})?`,
    `(?<![\\d:.])\\b${CLOCK}(?![:\\w])${ZONE}`,
    "\\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\\b",
    "\\b(?:january|february|april|june|july|august|september|october|november|december)\\b",
  ].join("|"),
  "g",
);

/**
 * Matches quoted names in messages of languages and databases. They are part of the error, and are
 * kept.
 */
const NAMED = new RegExp(
  "\\b(attribute|argument|module named|import name|property|column|table|relation|function|method|" +
    "variable|reading|setting|evaluating|parameter|constant|constraint|field|for key) " +
    "[\"'`]([a-z_$][\\w$.]{0,127})[\"'`]",
  "g",
);
const UNDEFINED_NAME = /\bname ["'`]([a-z_$][\w$.]{0,127})["'`] is not defined/g;

/** Matches texts in quotes. Inside, a quote may be escaped by a backslash or doubled, as in SQL. */
const QUOTED = new RegExp(
  [
    `"(?:[^"\\\\\n]|\\\\.|""){0,256}"`,
    `(?<!\\w)'(?:[^'\\\\\n]|\\\\.|''){0,256}'(?!\\w)`,
    "`[^`\n]{0,256}`",
    "[“„][^”“\n]{0,256}[”“]",
    "‘[^’\n]{0,256}’",
    "«[^»\n]{0,256}»",
    "「[^」\n]{0,256}」",
  ].join("|"),
  "g",
);

/** Matches ids of 21 characters, as nanoid creates them. */
const NANOID = /(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{21}(?![\w-])/g;
/** Matches the name of a user in the path of a home folder. */
const HOME = /(\/(?:home|Users)\/|\b[A-Za-z]:[\\/]Users[\\/])[^\s/\\:"'<>]+(?=[/\\])/g;

/** Matches names that a minifier has given to variables, in messages of JavaScript's engines. */
const MINIFIED =
  /(?<![\w$.])[a-z_$]{1,2}(?=(?:[.[(][^\s]{0,128})? is (?:not a function|not a constructor|not iterable|undefined\b|null\b))/g;

/**
 * A rule: a text or pattern without which it cannot apply, the pattern to replace, and the
 * replacement. The first part lets most rules be skipped for most texts.
 */
type Rule = readonly [needs: string | RegExp, RegExp, string | ((found: string) => string)];

const DIGIT = /\d/;
const QUOTE = /["'`“„‘«「]/;

/** The rules, which are applied in this order to a text in lower case. */
const RULES: readonly Rule[] = [
  ["eyj", /\beyj[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?/g, "<token>"],
  [
    "://",
    /\b(?:blob:)?[a-z][a-z0-9+.-]{1,20}:\/\/[^\s"'`<>()[\]{}]*(?:\[[0-9a-f:.]+\][^\s"'`<>()]*)?/g,
    urlIn,
  ],
  ["-", /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "<uuid>"],
  ["@", /\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}/g, "<email>"],
  [/[:-]/, /\b[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}\b/g, "<mac>"],
  [/\d|day|ry\b|il\b|ne\b|ly\b|st\b|er\b/, DATES, "<date>"],
  ["-", /(?<=\w-)(?=[a-z]*\d)[a-z0-9]{8,10}-[a-z0-9]{5}\b(?!-)/g, "<pod>"],
  [DIGIT, /\b\d{1,3}(?:\.\d{1,3}){3}\b/g, "<ip>"],
  [":", /(?<![\w:])[0-9a-f:]{0,39}:[0-9a-f:.]{1,39}(?:%\w{1,16})?/g, addressIn],
  ["[<ip>]", /\[<ip>\]/g, "<ip>"],
  ["evaluating", /\b(evaluating ["'`]?(?:new )?)[a-z_$]{1,2}(?=[.([])/g, "$1<v>"],
  [" is ", MINIFIED, "<v>"],
  [QUOTE, NAMED, "$1 $2"],
  [QUOTE, UNDEFINED_NAME, "name $1 is not defined"],
  [QUOTE, QUOTED, "<text>"],
  // Replaces the value of a key in PostgreSQL's messages: `(email)=(a@b.example)`.
  [")=(", /\)=\([^)\n]{0,256}\)/g, ")=(<text>)"],
  ["?", /(?<=[\w/])\?[\w.~%[\]-]{1,64}=[^\s"'`<>)]*(?:<\w+>[^\s"'`<>)]*)*/g, "?<query>"],
  ["/", /(?<![\w/])\/(?:private\/)?(?:tmp|var\/tmp|var\/folders)\/[^\s,;:)\]]+/g, "<path>"],
  [DIGIT, /\b0x[0-9a-f]+\b/g, "<hex>"],
  [DIGIT, /\b(?=[a-f]*\d)[0-9a-f]{8,}\b/g, "<hex>"],
  [DIGIT, /\b(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|[smhd])){1,8}(?!\w)/g, "<duration>"],
  [DIGIT, /\b(?=\w*\d[a-z_]+\d)\w{6,}\b/g, "<id>"],
  [DIGIT, /(?<![\w.>])-(?=\d)/g, ""],
  [DIGIT, /(?<![\d.])\d+\.\d+\.\d+-[0-9a-z][0-9a-z.-]*/g, "<n>"],
  [DIGIT, /\d+(?:[.,]\d+)*(?:e[+-]?\d+|(?:st|nd|rd|th)\b)?/g, "<n>"],
  // Shortens lists of values and of rows, because their lengths differ: `in (1, 2, 3)`, `values (1,
  // 2), (3, 4)`.
  [",", /(<\w+>|\?|%s|\$<n>|:<n>)(?:\s?,\s?\1)+/g, "$1"],
  [",", /(\([^()]{1,128}\))(?:\s?,\s?\1)+/g, "$1"],
];

/** Returns the text in lower case, with placeholders such as `<n>`, `<url>` and `<date>`. */
export function normalise(text: string): string {
  let left = text.slice(0, TEXT_CHARS_MAX).replace(/[ \t]+/g, " ");
  if (DIGIT.test(left)) left = left.replace(NANOID, "<id>");
  left = left.replace(HOME, "$1<user>").toLowerCase();
  for (const [needs, pattern, replacement] of RULES) {
    const isNeeded = typeof needs === "string" ? left.includes(needs) : needs.test(left);
    if (isNeeded) left = left.replace(pattern, replacement as string);
  }
  return left.replace(/\s+/g, " ").trim();
}

/**
 * Returns the placeholder for a URL. Punctuation at its end is kept, because it belongs to the
 * sentence around it.
 */
function urlIn(url: string): string {
  return `<url>${/[.,:;!?]+$/.exec(url)?.[0] ?? ""}`;
}

function addressIn(found: string): string {
  const rest = /[.:]$/.test(found) && !found.endsWith("::") ? found.slice(-1) : "";
  const address = found.slice(0, found.length - rest.length).replace(/%.*$/, "");
  return /\d/.test(address) && isIPv6(address) ? `<ip>${rest}` : found;
}
