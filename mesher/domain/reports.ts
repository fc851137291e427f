/**
 * Converts security reports of browsers and feedback of users to events in Sentry's format.
 * Deterministic.
 *
 * @module
 */
import { MESSAGE_CHARS_MAX } from "./limits.ts";
import { cut, listOf, objectOf, type Raw, textOf } from "./trim.ts";

/** The contents of a request with security reports. */
export interface SecurityReports {
  readonly events: readonly Raw[];
  /** Number of reports of other types, by type. */
  readonly ignored: ReadonlyMap<string, number>;
}

/**
 * Parses `{"csp-report": {…}}`, or the list of the Reporting API. Returns null if it is neither.
 */
export function readSecurityReports(input: unknown): SecurityReports | null {
  const ignored = new Map<string, number>();
  const csp = objectOf(objectOf(input)?.["csp-report"]);
  if (csp !== null) return { events: [violationOf(csp)], ignored };
  const other = ["expect-ct-report", "expect-staple-report", "known-pins"]
    .find((name) => objectOf(input)?.[name] !== undefined);
  if (other !== undefined) {
    return { events: [], ignored: new Map([[other.replaceAll("-", "_"), 1]]) };
  }
  const list = Array.isArray(input)
    ? input
    : objectOf(input)?.["type"] === undefined
    ? []
    : [input];
  if (list.length === 0) return null;
  const events: Raw[] = [];
  for (const report of list.map(objectOf)) {
    const body = objectOf(report?.["body"]);
    if (report?.["type"] === "csp-violation" && body !== null) {
      events.push(violationOf({ "document-uri": report["url"], ...body }, report["user_agent"]));
    } else ignored.set("browser_report", (ignored.get("browser_report") ?? 0) + 1);
  }
  return { events, ignored };
}

function violationOf(report: Raw, userAgent?: unknown): Raw {
  const of = (...names: string[]): string => {
    for (const name of names) {
      const text = textOf(report[name]);
      if (text !== null) return text;
    }
    return "";
  };
  const directive =
    of("effective-directive", "effectiveDirective", "violated-directive", "violatedDirective")
      .split(" ", 1)[0]! || "unknown directive";
  const blocked = of("blocked-uri", "blockedURL", "blockedUri", "blocked-url") || "self";
  const url = of("document-uri", "documentURL", "documentUri");
  const source = /^https?:/.test(blocked) ? URL.parse(blocked)?.host ?? blocked : blocked;
  return {
    message: `Blocked '${directive}' from '${source}'`,
    level: "warning",
    logger: "csp",
    platform: "javascript",
    fingerprint: ["csp", directive, source],
    tags: { "csp.directive": directive, "csp.blocked": source },
    extra: { csp: report },
    request: {
      url,
      ...(typeof userAgent === "string" ? { headers: { "User-Agent": userAgent } } : {}),
    },
  };
}

/** Converts user feedback, an item of type `feedback` or of the older type `user_report`. */
export function eventFromFeedback(item: Raw): Raw {
  const contexts = objectOf(item["contexts"]) ?? {};
  const feedback = objectOf(contexts["feedback"]) ?? item;
  const words = textOf(feedback["message"] ?? feedback["comments"], MESSAGE_CHARS_MAX) ?? "";
  const about = textOf(
    feedback["associated_event_id"] ?? (feedback === item ? item["event_id"] : null),
  );
  const { event_id: id, ...rest } = item;
  return {
    ...(feedback === item ? {} : { ...rest, event_id: id }),
    message: cut(`User feedback: ${words}`, MESSAGE_CHARS_MAX),
    level: "info",
    logger: "feedback",
    fingerprint: ["user feedback"],
    tags: { ...objectOf(item["tags"]), ...(about === null ? {} : { "feedback.event_id": about }) },
    user: {
      ...objectOf(item["user"]),
      email: feedback["contact_email"] ?? feedback["email"] ?? objectOf(item["user"])?.["email"],
      username: feedback["name"] ?? objectOf(item["user"])?.["username"],
    },
    extra: { ...objectOf(item["extra"]), feedback: listOf([feedback])[0] },
  };
}
