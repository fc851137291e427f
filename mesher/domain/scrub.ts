/**
 * Removes secrets from an event before it is stored: values whose names denote a secret (passwords,
 * tokens, keys, cookies, environment variables), and texts that have the form of one (numbers of
 * cards and accounts, private keys, tokens of well-known services, credentials in URLs). They are
 * replaced by `[Filtered]`. Deterministic.
 *
 * @module
 */
import type { Breadcrumb, Exception, Frame, Json, JsonObject, MesherEvent } from "./event.ts";
import { objectOf } from "./trim.ts";

/** The text that replaces a removed value. */
export const FILTERED = "[Filtered]";

/** The rules of a project for removing secrets. */
export interface ScrubRules {
  /** Whether secrets are removed. If false, only cookies and credentials in headers are removed. */
  readonly enabled: boolean;
  /** Additional names of secrets. Case, `-` and `_` are ignored. */
  readonly fields: readonly string[];
  /** Names whose values are kept, although the rules denote them as secrets. */
  readonly safe: readonly string[];
}

/** The default rules. */
export const SCRUB_DEFAULT: ScrubRules = { enabled: true, fields: [], safe: [] };
/** Maximum number of characters of a name. Longer texts are not names. */
const NAME_CHARS_MAX = 100;
/**
 * Minimum number of characters of a removed parameter that is removed from the message too. A
 * shorter parameter may occur in the message for another reason.
 */
const SECRET_CHARS_MIN = 4;
/** Maximum number of names in each list of a project's rules, `fields` and `safe`. */
export const SCRUB_FIELDS_MAX = 100;

/**
 * Parses rules from JSON, with defaults for absent rules. Returns the error if a rule is invalid.
 */
export function scrubRulesFrom(input: unknown): ScrubRules | string {
  const raw = objectOf(input);
  if (raw === null) return "scrub must be an object";
  const { enabled = true } = raw;
  if (typeof enabled !== "boolean") return "scrub.enabled must be true or false";
  const names = { fields: [] as string[], safe: [] as string[] };
  for (const kind of ["fields", "safe"] as const) {
    const list = raw[kind] ?? [];
    const isRight = Array.isArray(list) && list.length <= SCRUB_FIELDS_MAX &&
      list.every((name) => typeof name === "string" && bare(name) !== "" && name.length <= 64);
    if (!isRight) {
      return `scrub.${kind} must be a list of at most ${SCRUB_FIELDS_MAX} names of at most 64 characters`;
    }
    names[kind] = list;
  }
  return { enabled, ...names };
}

/** Matches parts of the names of secrets, in names without separators. */
const SECRET_PARTS =
  /passw|passphrase|passcode|secret(?!ar)|apikey|accesskey|privatekey|secretkey|signingkey|encryptionkey|authorization|credential|bearer|cardnumber|creditcard|cardno|securitycode|connectionstring|csrf|xsrf|phpsessid|sessionid|sessionkey|setcookie|mysqlpwd|socialsecurity|refreshtoken|accesstoken|authtoken|idtoken|servicerole|securityanswer|kennwort|motdepasse|contrase|пароль|密码|密碼|パスワード|비밀번호|(?:api|app|bot|client|device|push|reset|login|service|session|user)token|(?:mfa|2fa|twofactor|otp|sms|recovery|backup|verification|activation|reset|login|auth)codes?$/;
/** Words in the names of secrets. */
const SECRET_WORDS: ReadonlySet<string> = new Set(
  ("auth oauth token jwt pwd pw pass senha pin cvv cvc ssn iban otp totp cookie cookies session sid dsn key keys salt nonce " +
    "signature passkey pat cc pan hmac").split(" "),
);
/** Words that denote a secret only if another word precedes them. */
const SECRET_AFTER_WORD = new Set("key keys salt nonce signature".split(" "));
/**
 * Words before `key` that show that the name denotes a key of a map, a table or a keyboard, and not
 * a secret.
 */
const KEY_OF: ReadonlySet<string> = new Set(
  ("arrow cache column composite config custom dedup dedupe default dict duplicate event feature field flag foreign " +
    "form group grouping hot i18n idempotency index input item job label list locale lock lookup map message meta " +
    "metric missing modifier object option param partition path primary property public publishable query queue " +
    "react record registry row routing route schema search sort sorting state storage store tag task translation " +
    "unique unknown").split(" "),
);
/**
 * Words that, after the name of a secret, show that the value describes the secret and does not
 * contain it.
 */
const DESCRIPTIONS: ReadonlySet<string> = new Set(
  ("age algorithm at attempts changed count created date duration enabled expired expires expiry field format hint " +
    "index kind label length limit max method min mode name policy prefix provider required scheme size status " +
    "strength time ttl type updated url uri version").split(" "),
);
/** Words in the names of numbers that may look like card numbers but are not. */
const NUMBERED: ReadonlySet<string> = new Set(
  "ean gtin imei invoice isbn order serial sku time timestamp tracking ts".split(" "),
);
/** Words after the name of a secret that do not change its meaning. The value is still a secret. */
const FORMS: ReadonlySet<string> = new Set(
  "code data digest hash header raw string value".split(" "),
);
/** Names of objects that contain the environment of a process. */
const ENVIRONMENTS = new Set([
  "env",
  "environ",
  "environment",
  "processenv",
  "environmentvariables",
]);
/** Matches environment variables that are not secret. */
const SAFE_VARIABLES =
  /^(?:REMOTE_(?:ADDR|HOST|PORT)|SERVER_(?:NAME|PORT|PROTOCOL|SOFTWARE|ADDR)|REQUEST_(?:METHOD|SCHEME)|GATEWAY_INTERFACE|PATH_INFO|SCRIPT_NAME|DOCUMENT_ROOT|CONTENT_(?:LENGTH|TYPE)|HTTP_(?:HOST|ACCEPT\w*|CONNECTION)|NODE_ENV|RAILS_ENV|RACK_ENV|APP_ENV|ENVIRONMENT|LANG|LC_\w+|TZ|PATH|PWD|HOME|SHELL|TERM|USER|HOSTNAME)$/;

/** Patterns of secrets that are unambiguous in any text. */
const RECOGNISED = new RegExp(
  [
    /-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|$)/g,
    // The length is unlimited at the beginning of a word. Within a word it is limited, so that the
    // time stays linear.
    /(?:(?<![\w-])eyJ[\w-]{8,}|\beyJ[\w-]{8,512})\.eyJ[\w-]{8,}\.[\w-]*/g,
    /\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{8,}/g,
    /\bgh[pousr]_[A-Za-z0-9]{20,}\b|\bgithub_pat_\w{20,}/g,
    /\bglpat-[\w-]{16,}/g,
    /\bxox[abeoprs]-[\w-]{10,}/g,
    /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
    /\bAIza[\w-]{35}/g,
    /\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,}/g,
    /\bnpm_[A-Za-z0-9]{30,}/g,
    /\bpypi-[\w-]{32,}/g,
    /\bhf_[A-Za-z0-9]{24,}/g,
    /\bdo[opr]_v1_[0-9a-f]{32,}/g,
    /\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{24,}/g,
    /\bsntr(?:ys|yu)_[\w=+/.-]{24,}/g,
    /\bSK[0-9a-f]{32}\b/g,
    /(?<=\bhooks\.slack\.com\/services\/)[\w/-]{20,}/g,
    /(?<=\/api\/webhooks\/\d{5,25}\/)[\w-]{20,}/g,
    /(?<=\bbot)\d{6,12}:[\w-]{30,}/g,
    /\bmsh[rts]_[0-9a-f]{48}\b/g,
    // The signature of a URL of Azure's storage.
    /(?<=[?&]sig=)[\w%+/=-]{20,}/g,
    /\bSG\.[\w-]{16,}\.[\w-]{16,}/g,
  ].map(({ source }) => source).join("|"),
  "g",
);
/** Matches texts that may contain secrets. Other texts are not examined further. */
const MAY_HAVE_SECRETS =
  /[=:@]|\d[ .-]?\d{3}|bearer|basic|_|negotiate|mysql|mariadb|-----BEGIN|sk-|SK\d|AKIA|ASIA|AIza|xox|glpat|pypi-|eyJ|SG\.|<\/|--\w|%3D|password|identified by/i;
const CREDENTIALS = /\b([a-z][a-z0-9+.-]{1,20}:\/\/)([^\s/:@"']{0,256}):([^\s/"']{1,256})@/gi;
const SCHEMES = /\b(bearer|token)(\s+)(?=[^\s"',;]*[\d=._+/-])[^\s"',;]{8,}/gi;
/** Matches credentials in base64 after `Basic` and `Negotiate`, but not the words of a sentence. */
const BASE64_SCHEMES =
  /\b([Bb]asic|BASIC|[Nn]egotiate)(\s+)(?=[a-z+/]*[A-Z\d=])[A-Za-z0-9+/]{8,}={0,2}(?![\w.-])/g;
/** Matches the credentials after `Digest`. */
const DIGEST = /\b(digest)(\s+)(?=[a-z]{1,16}=)[^\r\n]{8,}/gi;
/**
 * Matches `name=`, `name: ` and `"name": `. Quotes may be escaped, as in JSON inside JSON. `?name=`
 * may be URL-encoded, as in a URL inside a URL. If the name is secret, `VALUE` reads the value.
 */
const NAME =
  /(?:%[0-9a-f]{2})?(\\{0,7}["'`]|)([A-Za-z_$][\w.$[\]-]{0,63})\1(\s{0,8}(?:=>|[=:]|%3D)\s{0,8})/gi;
const VALUE =
  /\[[^\]]*|(\\{0,7})(["'`])[^]*?(?<!\\)\1\2|(?:[^\s&;,"'`})\]<\\]|\\(?!["'`]))+|\\{0,7}["'`][^\s"'`]*/y;
/**
 * Matches, after a secret name, the start of something that is not replaced: a value that is
 * already filtered, or an object, because the names inside it are checked separately.
 */
const NO_VALUE = /["'`\\]{0,8}\[Filtered|\{/y;
/** Matches `<name>value</name>`. */
const ELEMENT = /(<([A-Za-z_][\w:.-]{0,63})(?:\s[^<>]{0,256})?>)([^<>]{1,1024})(?=<\/\2>)/g;
/** Matches an option of a command line with its value: `--name value`. */
const OPTION = /(--?([A-Za-z][\w-]{0,63})[ \t]+)("[^"]*"|'[^']*'|[^\s"'-][^\s"']*)/g;
/** Matches the password of MySQL's programs, which follows `-p` without a space. */
const MYSQL_PASSWORD =
  /(\b(?:mysql|mariadb)[\w-]{0,16}\s(?:[^\r\n]{0,128}?\s)?-p)[^\s"'-][^\s"']*/g;
/** Matches the password in the option `-u user:password` of curl. */
const CURL_USER = /(\s(?:-u|--user|--proxy-user)[ =]?["']?[^\s:"']{1,64}:)[^\s"']+/g;
const DIGITS =
  /(?<![A-Za-z0-9.-])(?:\d[ \u00a0\u2009\u202f\u2010-\u2013-]?){12,18}\d(?![A-Za-z0-9-])|(?<![\w.-])\d{4}(?:\.\d{4}){3}(?![\w.-])/g;
/** Matches a password in a statement of SQL. */
const SQL_PASSWORD = /\b((?:identified by|password)\s{1,8})(?:'[^']*'|"[^"]*")/gi;
/** Matches a field of a form as multipart/form-data. */
const FORM_FIELD =
  /(name="([^"\r\n]{1,64})"[^\r\n]{0,256}\r?\n(?:[^\r\n]{1,256}\r?\n){0,4}\r?\n)([^\r\n]+)/g;
/** Matches texts that have the form of an IBAN. */
const IBAN = /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b/g;
const CARD =
  /^(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|2720\d{12}|3[47]\d{13}|6(?:011|5\d\d)\d{12}|35\d{14}|3(?:0[0-5]|[68]\d)\d{11})$/;

/**
 * Removes the secrets of an event according to a project's rules. Returns the same object if the
 * rules are disabled.
 */
export function scrubbed(event: MesherEvent, rules: ScrubRules = SCRUB_DEFAULT): MesherEvent {
  return rules.enabled ? new Scrubber(rules).event(event) : event;
}

/**
 * Fields that are stored unchanged. A new field must be listed here, or be handled by `Scrubber`.
 */
type Unscrubbed =
  | "id"
  | "timestamp"
  | "level"
  | "user"
  | "environment"
  | "release"
  | "platform"
  | "serverName"
  | "logger"
  | "sdk"
  | "fingerprint"
  | "dist"
  | "modules"
  | "images";

/**
 * The fields that `Scrubber` handles. Optional fields are required here, so that no field is
 * forgotten.
 */
type ScrubbedFields = {
  [Name in keyof Required<Omit<MesherEvent, Unscrubbed>>]: MesherEvent[Name];
};

class Scrubber {
  readonly #fields: ReadonlySet<string>;
  readonly #safe: ReadonlySet<string>;

  constructor({ fields, safe }: ScrubRules) {
    this.#fields = new Set(fields.map(bare));
    this.#safe = new Set(safe.map(bare));
  }

  event(event: MesherEvent): MesherEvent {
    const { template, params, ...always } = this.#fieldsOf(event);
    return {
      ...event,
      ...always,
      message: withoutParams(always.message, event.params, params),
      ...(template === undefined ? {} : { template }),
      ...(params === undefined ? {} : { params }),
    };
  }

  /** Returns the fields that may contain secrets, without the secrets. */
  #fieldsOf(event: MesherEvent): ScrubbedFields {
    return {
      message: this.text(event.message),
      exceptions: event.exceptions.map((one) => this.#exception(one)),
      breadcrumbs: event.breadcrumbs.map((crumb) => this.#breadcrumb(crumb)),
      tags: Object.fromEntries(
        Object.entries(event.tags).map((
          [name, value],
        ) => [name, this.#pair(name, value) as string]),
      ),
      transaction: event.transaction === null ? null : this.text(event.transaction),
      extra: this.#object(event.extra),
      contexts: this.#object(event.contexts),
      request: event.request === null ? null : this.#request(event.request),
      template: event.template === undefined ? undefined : this.text(event.template),
      params: event.params === undefined ? undefined : this.#value(event.params) as JsonObject,
    };
  }

  #exception(exception: Exception): Exception {
    return {
      ...exception,
      value: this.text(exception.value),
      frames: exception.frames.map((frame) => this.#frame(frame)),
    };
  }

  /**
   * Removes secrets from a frame. Its source lines are code, in which `password = read()` is not a
   * secret, but a key in a well-known format is.
   */
  #frame(frame: Frame): Frame {
    const lines = (list: readonly string[]) => list.map(withoutRecognised);
    return {
      ...frame,
      context: frame.context === null ? null : withoutRecognised(frame.context),
      contextBefore: lines(frame.contextBefore),
      contextAfter: lines(frame.contextAfter),
      ...(frame.vars === undefined ? {} : { vars: this.#object(frame.vars) }),
    };
  }

  #breadcrumb(crumb: Breadcrumb): Breadcrumb {
    return {
      ...crumb,
      message: crumb.message === null ? null : this.text(crumb.message),
      data: this.#object(crumb.data),
    };
  }

  /** Removes secrets from a request, whose headers and query may be pairs. */
  #request(request: JsonObject): JsonObject {
    const { headers, query_string: query, ...rest } = request;
    return {
      ...this.#object(rest),
      ...(headers === undefined ? {} : { headers: this.#pairs(headers) }),
      ...(query === undefined ? {} : { query_string: this.#pairs(query) }),
    };
  }

  #pairs(value: Json): Json {
    if (!Array.isArray(value)) return this.#value(value);
    return value.map((pair: Json) =>
      Array.isArray(pair) && typeof pair[0] === "string"
        ? [pair[0], ...pair.slice(1).map((one: Json) => this.#pair(pair[0] as string, one))]
        : this.#value(pair)
    );
  }

  #object(object: JsonObject): JsonObject {
    const scrubbed = Object.fromEntries(
      Object.entries(object).map(([name, value]) => [name, this.#pair(name, value)]),
    );
    // The object may itself be a named value, such as a form's field, a header or a variable. An
    // example is `{name: "password", value: …}`.
    const name = object["name"] ?? object["key"] ?? object["field"];
    if (typeof name === "string" && Object.hasOwn(scrubbed, "value")) {
      scrubbed["value"] = this.#pair(name, scrubbed["value"]!);
    }
    return scrubbed;
  }

  #value(value: Json): Json {
    if (typeof value === "string") return this.text(value);
    if (typeof value === "number") return isCard(String(value)) ? FILTERED : value;
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return this.#list(value);
    return this.#object(value as JsonObject);
  }

  /**
   * Removes secrets from a list. It may be a pair, `["password", …]`, or the arguments of a
   * program, `["--password", …]`.
   */
  #list(list: readonly Json[]): Json {
    const [name, secret] = list;
    if (list.length === 2 && typeof name === "string" && this.#isSecret(name, secret!)) {
      return [name, FILTERED];
    }
    let previous: Json = null;
    return list.map((entry) => {
      const option = typeof previous === "string"
        ? /^--?([A-Za-z][\w-]{0,63})$/.exec(previous)?.[1]
        : undefined;
      previous = entry;
      const isValue = typeof entry === "string" && !entry.startsWith("-");
      return option !== undefined && isValue && this.#isSecret(option, entry)
        ? FILTERED
        : this.#value(entry);
    });
  }

  #pair(name: string, value: Json): Json {
    if (value === null || value === "" || typeof value === "boolean") return value;
    // Values of tags are always texts. These two are booleans, which are never secret.
    if (value === "true" || value === "false") return value;
    if (this.#isSecret(name, value)) return FILTERED;
    if (
      /^\d{1,19}$/.test(typeof value === "object" ? "" : String(value)) &&
      wordsIn(name).some((word) => NUMBERED.has(word))
    ) {
      return value;
    }
    if (ENVIRONMENTS.has(bare(name)) && isObject(value) && !this.#safe.has(bare(name))) {
      return Object.fromEntries(
        Object.entries(value).map(([variable, text]) => [
          variable,
          SAFE_VARIABLES.test(variable) || this.#safe.has(bare(variable))
            ? this.#value(text)
            : FILTERED,
        ]),
      );
    }
    return this.#value(value);
  }

  #isSecret(name: string, value: Json): boolean {
    // A text of several lines, or a long one, is not a name.
    if (name.length > NAME_CHARS_MAX || /\p{Cc}/u.test(name)) return false;
    const whole = bare(name);
    if (this.#safe.has(whole)) return false;
    if (this.#fields.has(whole)) return true;
    if (isObject(value) || Array.isArray(value) && value.some((one) => typeof one === "object")) {
      // An object or a list is removed as a whole only if its name is one of the names below.
      // Otherwise, its values are checked one by one.
      return /^(?:credentials?|cookies?|secrets?|passwords?|tokens)$/.test(whole);
    }
    if (whole === "tokens" && Array.isArray(value)) return value.some(isTokenLike);
    const words = wordsIn(name);
    const last = words.at(-1)!;
    if (words.length > 1 && DESCRIPTIONS.has(last)) return false;
    if (SECRET_PARTS.test(whole)) return true;
    if (words.length === 1 && SECRET_AFTER_WORD.has(last)) return false;
    if (last === "key" || last === "keys") return !KEY_OF.has(words.at(-2)!);
    return SECRET_WORDS.has(last) ||
      words.length > 1 && FORMS.has(last) && SECRET_WORDS.has(words.at(-2)!) &&
        !SECRET_AFTER_WORD.has(words.at(-2)!);
  }

  /** Returns a text without the secrets in it. */
  text(text: string): string {
    if (!MAY_HAVE_SECRETS.test(text)) return text;
    const left = withoutForms(text)
      .replace(CREDENTIALS, `$1$2:${FILTERED}@`)
      .replace(SCHEMES, `$1$2${FILTERED}`)
      .replace(BASE64_SCHEMES, `$1$2${FILTERED}`)
      .replace(DIGEST, `$1$2${FILTERED}`)
      .replace(SQL_PASSWORD, `$1${FILTERED}`)
      .replace(
        FORM_FIELD,
        (all, head, name, value) => this.#isSecret(name, value) ? head + FILTERED : all,
      );
    return this.#withoutOptions(this.#withoutElements(this.#withoutPairs(left)));
  }

  #withoutElements(text: string): string {
    return text.includes("</")
      ? text.replace(
        ELEMENT,
        (all, tag, name, value) =>
          this.#isSecret(name.slice(name.indexOf(":") + 1), value) ? tag + FILTERED : all,
      )
      : text;
  }

  #withoutOptions(text: string): string {
    return text.includes(" -")
      ? text.replace(CURL_USER, `$1${FILTERED}`).replace(MYSQL_PASSWORD, `$1${FILTERED}`).replace(
        OPTION,
        (all, option, name, value) =>
          name.length > 1 && this.#isSecret(name, value) ? option + FILTERED : all,
      )
      : text;
  }

  /**
   * Returns the text without the values of secret names. Reads each name once, and only the values
   * of secret names, so that the time is linear in the length of the text.
   */
  #withoutPairs(text: string): string {
    let result = "";
    let from = 0;
    NAME.lastIndex = 0;
    for (let found; (found = NAME.exec(text)) !== null;) {
      const [, quote, name, between] = found as unknown as [string, string, string, string];
      if (!this.#isSecret(name, "x")) continue;
      const at = VALUE.lastIndex = NO_VALUE.lastIndex = NAME.lastIndex;
      const value = NO_VALUE.test(text) ? undefined : VALUE.exec(text)?.[0];
      if (value === undefined || !isSecretValue(value, quote, between)) continue;
      const mark = /^\\*["'`]/.exec(value)?.[0] ?? "";
      result += text.slice(from, at) + mark + FILTERED + mark;
      from = NAME.lastIndex = at + value.length;
    }
    return result + text.slice(from);
  }
}

/**
 * Returns whether the text after a secret's name is its value. In prose it may be another word,
 * because a colon may follow any word.
 */
function isSecretValue(value: string, quote: string, between: string): boolean {
  const isProse = quote === "" && between.includes(":") && !between.includes(">") &&
    !/^(?=.*\d).{5,}|^["'].{4,}|^.{16,}/.test(value);
  return !isProse && !/^(?:bearer|basic)$/i.test(value);
}

/**
 * Returns a message without the values that were removed from its parameters. The client has
 * inserted these values into the message.
 */
function withoutParams(
  message: string,
  params: MesherEvent["params"],
  scrubbed: MesherEvent["params"],
): string {
  if (params === undefined || scrubbed === undefined) return message;
  const left: Readonly<Record<string, Json>> = scrubbed as JsonObject;
  let text = message;
  for (const [name, value] of Object.entries(params)) {
    const secret = typeof value === "string" || typeof value === "number" ? String(value) : "";
    if (left[name] === FILTERED && secret.length >= SECRET_CHARS_MIN) {
      text = text.replaceAll(secret, FILTERED);
    }
  }
  return text;
}

function withoutRecognised(text: string): string {
  return MAY_HAVE_SECRETS.test(text) ? withoutForms(text) : text;
}

/** Returns a text without the parts that have the form of a secret. */
function withoutForms(text: string): string {
  return text.replace(RECOGNISED, FILTERED).replace(
    DIGITS,
    (digits) => isCard(digits) ? FILTERED : digits,
  )
    .replace(IBAN, (text) => isIban(text) ? FILTERED : text);
}

/** Returns whether a text is the number of an account, by its check digits (ISO 13616). */
function isIban(text: string): boolean {
  const bare = text.replaceAll(" ", "");
  if (bare.length < 15 || bare.length > 34) return false;
  let rest = 0;
  for (const char of bare.slice(4) + bare.slice(0, 4)) {
    const value = parseInt(char, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

/** Returns whether a text is a card number, by issuer, length and check digit. */
export function isCard(text: string): boolean {
  const digits = text.replace(/\D/g, "");
  if (!CARD.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns whether an entry of a list has the form of a token, and not of a word. */
function isTokenLike(value: Json): boolean {
  return typeof value === "string" && /^(?=.*\d)\S{12,}$/.test(value);
}

/** Returns a name without case and separators. */
function bare(name: string): string {
  const lower = name.toLowerCase();
  // deno-lint-ignore no-control-regex
  return /[^\x00-\x7f]/.test(lower)
    ? lower.normalize("NFC").replace(/[^\p{L}\p{N}]/gu, "")
    : lower.replace(/[^a-z0-9]/g, "");
}

/**
 * Returns the words of a name: `authToken`, `auth-token` and `AUTH_TOKEN` consist of `auth` and
 * `token`.
 */
function wordsIn(name: string): string[] {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/([a-zA-Z])[\d_-]+$/, "$1")
    .toLowerCase()
    .split(/[^a-z0-9]+/).filter(Boolean).concat(name === "" ? [""] : []).slice(0, 16);
}
