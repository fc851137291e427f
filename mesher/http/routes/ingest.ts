/**
 * Routes that receive events: one, many, or in the format of Sentry's SDKs.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { inflateSync } from "node:zlib";
import { EnvelopeReader } from "../../domain/envelope.ts";
import type { MesherEvent } from "../../domain/event.ts";
import { bareId, isId } from "../../domain/id.ts";
import {
  BULK_BYTES_MAX,
  ENVELOPE_BYTES_MAX,
  ENVELOPE_ITEMS_MAX,
  EVENT_BYTES_MAX,
} from "../../domain/limits.ts";
import { eventFromFeedback, readSecurityReports } from "../../domain/reports.ts";
import { eventFromSentry } from "../../domain/sentry.ts";
import { objectOf } from "../../domain/trim.ts";
import { validateBulk, validateEvent } from "../../domain/validate.ts";
import type { Verdict } from "../../services/intake.ts";
import type { Project } from "../../storage/projects.ts";
import { keyOfDsn } from "../auth.ts";
import { clientAddressOf } from "../client.ts";
import { parsed, readBytes, readChunks, readJson } from "../input.ts";
import { HttpError } from "../http_error.ts";
import type { Reply, Route, RouteInput } from "../route.ts";

const ERRORS = [400, 401, 415, 429, 503] as const;
/**
 * The status of the response to a body that is too large, on the two routes that the original
 * Mesher has too.
 */
const TOO_LARGE = 400;

const SECURITY = {
  name: "storeSecurityReport",
  about:
    "Accepts reports that browsers send for `report-uri` and `report-to`: violations of a content security policy.",
  reads: {
    "application/csp-report": "A report, of at most 1 MiB",
    "application/reports+json": "A list of reports, of at most 1 MiB",
  },
} as const;

/** The routes of ingest. */
export const ingestRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/events",
    name: "storeEvent",
    about: "Accepts one event. An event whose id the project already has is ignored.",
    access: "key",
    reads: { "application/json": "One event, of at most 1 MiB" },
    ok: 202,
    errors: ERRORS,
    returns: '{"status":"accepted","id"}',
    async handle(asked): Promise<Reply> {
      const { intake, counters } = open(asked);
      const input = await readJson(asked.request, EVENT_BYTES_MAX, TOO_LARGE);
      mustHaveRoom(asked, 1);
      const valid = validateEvent(input, intake.moment());
      if (!valid.ok) {
        counters.add("refused_invalid");
        throw new HttpError(400, valid.reason);
      }
      accepted(await intake.take(projectOf(asked), [valid.event]));
      return { json: { status: "accepted", id: valid.event.id } };
    },
  },
  {
    method: "POST",
    path: "/api/v1/events/bulk",
    name: "storeEvents",
    about: "Accepts up to 100 events, each independently: rejected ones are listed.",
    access: "key",
    reads: { "application/json": "A list of events, or {events: […]}, of at most 5 MiB" },
    ok: 202,
    errors: ERRORS,
    returns: '{"status":"accepted","accepted","ids":[…],"errors":[{"index","error"}]}',
    async handle(asked): Promise<Reply> {
      const { intake, counters, rejections } = open(asked);
      const input = await readJson(asked.request, BULK_BYTES_MAX, TOO_LARGE);
      const list = Array.isArray(input) ? input : objectOf(input)?.["events"];
      mustHaveRoom(asked, Array.isArray(list) ? list.length : 1);
      const bulk = validateBulk(input, intake.moment());
      if (!bulk.ok) throw new HttpError(400, bulk.reason);
      const valid: { index: number; event: MesherEvent }[] = [];
      const errors: { index: number; error: string }[] = [];
      for (const [index, one] of bulk.events.entries()) {
        if (one.ok) valid.push({ index, event: one.event });
        else errors.push({ index, error: one.reason });
      }
      counters.add("refused_invalid", errors.length);
      if (valid.length === 0) {
        throw new HttpError(400, `no event is valid: ${errors[0]!.error}`);
      }
      rejections.add("invalid_event", projectOf(asked).id, errors[0]?.error ?? "", errors.length);
      const verdict = await intake.take(projectOf(asked), valid.map(({ event }) => event));
      const count = accepted(verdict);
      for (const { index } of valid.slice(count)) errors.push({ index, error: "rate limited" });
      const ids = valid.slice(0, count).map(({ event }) => event.id);
      return { json: { status: "accepted", accepted: count, ids, errors } };
    },
  },
  {
    ...sentryRoute("envelope", {
      name: "storeEnvelope",
      about:
        "Accepts what Sentry's SDKs send to a DSN. `project` is any number, or the key's project. " +
        "Without a key in the head of the request, the key in the DSN of the envelope's header is used.",
      reads: { "application/x-sentry-envelope": "An envelope, of at most 64 MiB inflated" },
    }, takeEnvelope),
    lateKey: true,
  },
  sentryRoute("store", {
    name: "storeSentryEvent",
    about:
      "Accepts what Sentry's older SDKs send: one event as JSON, or as base64 of deflated JSON.",
    reads: { "application/json": "One event, of at most 1 MiB" },
  }, async (asked) => {
    const project = projectOf(asked);
    const input = storedJson(await readBytes(asked.request, EVENT_BYTES_MAX));
    if (objectOf(input)?.["type"] !== "transaction") {
      return await takeSentry(asked, project, { inputs: [input], envelopeId: null });
    }
    asked.mesher.counters.addLabelled("ignored_items", "transaction");
    return { json: {} };
  }),
  sentryRoute("security", SECURITY, takeReports),
  sentryRoute("csp-report", { ...SECURITY, name: "storeCspReport" }, takeReports),
];

/** The contents of a request in a format of Sentry. */
interface Parcel {
  readonly inputs: readonly unknown[];
  readonly envelopeId: string | null;
}

function sentryRoute(
  verb: string,
  row: Pick<Route, "name" | "about" | "reads">,
  take: (asked: RouteInput, project: Project | null) => Promise<Reply>,
): Route {
  return {
    ...row,
    method: "POST",
    path: `/api/:project/${verb}`,
    access: "key",
    ok: 200,
    errors: [...ERRORS, 404, 413],
    returns: '{"id"}: without dashes',
    async handle(asked): Promise<Reply> {
      open(asked);
      // If the head contains no key, the requester is anonymous, and the key is read from the body.
      const project = asked.requester.kind === "anonymous" ? null : projectOf(asked);
      if (project !== null) mustBeProject(asked, project);
      return await take(asked, project);
    },
  };
}

/** Returns the node if it accepts events. Throws 503 while it stops. */
function open({ mesher }: RouteInput): RouteInput["mesher"] {
  if (!mesher.isOpen) throw new HttpError(503, "the node is stopping", { "retry-after": "1" });
  return mesher;
}

/**
 * Throws 503 if the buffer is full. Called before events are validated and cleared of secrets, so
 * that a node that cannot store events spends no time on them.
 */
export function mustHaveRoom(
  { mesher: { inbox, counters } }: Pick<RouteInput, "mesher">,
  events: number,
): void {
  if (inbox.room > 0) return;
  counters.add("refused_full", events);
  accepted({ kind: "full" });
}

/** Returns the project of the request's key. Throws 401 if the request has no key. */
export function projectOf({ requester }: RouteInput): Project {
  if (requester.kind !== "project") throw new HttpError(401, "unauthorized");
  return requester.project;
}

/**
 * Throws 404 if the path names another project. The path may contain any number, because some SDKs
 * require one; the key identifies the project.
 */
export function mustBeProject(asked: RouteInput, { id, slug }: Project): void {
  const named = asked.params["project"]!;
  if (/^\d+$/.test(named) || named === slug || named.toLowerCase() === id) return;
  throw new HttpError(404, "project not found");
}

/**
 * Reads an envelope as it arrives. The items after its header are read only after the key has been
 * checked.
 */
async function takeEnvelope(asked: RouteInput, known: Project | null): Promise<Reply> {
  const reader = new EnvelopeReader();
  let project = known;
  for await (const chunk of readChunks(asked.request, ENVELOPE_BYTES_MAX)) {
    reader.push(chunk);
    if (project === null && reader.header !== undefined) {
      project = await projectOfDsn(asked, reader.header.dsn);
    }
  }
  const envelope = reader.end();
  if (project === null) project = await projectOfDsn(asked, envelope.ok ? envelope.dsn : null);
  if (!envelope.ok) throw new HttpError(400, envelope.reason);
  countIgnored(asked, envelope.ignored);
  const { rejections } = asked.mesher;
  const [first, ...others] = envelope.events;
  // The id of the envelope is used for its event, so that an envelope that is sent again is the
  // same event.
  const events = first === undefined
    ? []
    : [{ ...first, event_id: first["event_id"] ?? envelope.eventId }, ...others];
  const inputs = [...events, ...envelope.feedback.map(eventFromFeedback)];
  const [problem] = envelope.problems;
  if (problem !== undefined && inputs.length === 0) throw new HttpError(400, problem[1]);
  for (const [reason, words] of envelope.problems) rejections.add(reason, project.id, words);
  return await takeSentry(asked, project, { inputs, envelopeId: envelope.eventId });
}

async function takeReports(asked: RouteInput): Promise<Reply> {
  const project = projectOf(asked);
  const reports = readSecurityReports(await readJson(asked.request, EVENT_BYTES_MAX));
  if (reports === null) throw new HttpError(400, "the body is not a security report");
  countIgnored(asked, reports.ignored);
  if (reports.events.length === 0) return { json: {} };
  const environment = asked.url.searchParams.get("sentry_environment");
  const release = asked.url.searchParams.get("sentry_release");
  const userAgent = asked.request.headers.get("user-agent");
  const more = reports.events.length - ENVELOPE_ITEMS_MAX;
  if (more > 0) countIgnored(asked, new Map([["too_many_items", more]]));
  const inputs = reports.events.slice(0, ENVELOPE_ITEMS_MAX).map((event) => ({
    environment,
    release,
    ...event,
    request: { headers: { "User-Agent": userAgent }, ...objectOf(event["request"]) },
  }));
  return await takeSentry(asked, project, { inputs, envelopeId: null });
}

async function projectOfDsn(asked: RouteInput, dsn: string | null): Promise<Project> {
  const key = keyOfDsn(dsn);
  const project = key === null ? null : await asked.mesher.keys.project(key);
  if (project === null) throw new HttpError(401, "unauthorized");
  mustBeProject(asked, project);
  return project;
}

function countIgnored({ mesher }: RouteInput, ignored: ReadonlyMap<string, number>): void {
  for (const [type, count] of ignored) mesher.counters.addLabelled("ignored_items", type, count);
}

/** Returns the JSON of a body of `/store`: plain, or as base64 of zlib. Throws 400. */
function storedJson(bytes: Uint8Array): unknown {
  const first = bytes.find((byte) => byte > 32);
  if (first === undefined || first === 0x7b || first === 0x5b) return parsed(bytes);
  const text = new TextDecoder().decode(bytes).trim();
  if (!/^[A-Za-z0-9+/_\s-]+=*$/.test(text)) return parsed(bytes);
  const decoded = Buffer.from(text, "base64");
  if (decoded[0] === 0x7b) return parsed(decoded);
  try {
    return parsed(inflateSync(decoded, { maxOutputLength: EVENT_BYTES_MAX }));
  } catch (error) {
    throw error instanceof HttpError ? error : new HttpError(400, "invalid json");
  }
}

async function takeSentry(
  asked: RouteInput,
  project: Project,
  { inputs, envelopeId }: Parcel,
): Promise<Reply> {
  const { intake, counters, rejections, config } = asked.mesher;
  const address = clientAddressOf(asked.request.headers, asked.remote.hostname, config.proxies);
  if (inputs.length > 0) mustHaveRoom(asked, inputs.length);
  const events: MesherEvent[] = [];
  let reason = "";
  for (const input of inputs) {
    const valid = eventFromSentry(input, intake.moment(address));
    if (valid.ok) events.push(valid.event);
    else reason = valid.reason;
  }
  const invalid = inputs.length - events.length;
  counters.add("refused_invalid", invalid);
  if (events.length === 0 && inputs.length > 0) throw new HttpError(400, reason);
  rejections.add("invalid_event", project.id, reason, invalid);
  if (events.length > 0) accepted(await intake.take(project, events));
  const id = events[0]?.id ?? envelopeId;
  return { json: isId(id) ? { id: bareId(id) } : {} };
}

/** Returns the number of accepted events. Throws 429 or 503 if no event was accepted. */
export function accepted(verdict: Verdict): number {
  switch (verdict.kind) {
    case "accepted":
      return verdict.accepted;
    case "rate_limited": {
      const seconds = String(Math.max(1, Math.ceil(verdict.retryAfterMs / 1000)));
      throw new HttpError(429, "rate limited", {
        "retry-after": seconds,
        "x-sentry-rate-limits": `${seconds}::organization`,
      });
    }
    case "full":
      throw new HttpError(503, "the buffer is full", { "retry-after": "1" });
  }
}
