/**
 * Events come in: one, many, or as Sentry's SDKs send them.
 *
 * @module
 */
import type { MesherEvent } from "../../domain/event.ts";
import { bareId, isId } from "../../domain/id.ts";
import { BULK_BYTES_MAX, EVENT_BYTES_MAX } from "../../domain/limits.ts";
import { eventFromSentry, readEnvelope } from "../../domain/sentry.ts";
import { validateBulk, validateEvent } from "../../domain/validate.ts";
import type { Verdict } from "../../services/intake.ts";
import type { Project } from "../../storage/projects.ts";
import { readBytes, readJson } from "../input.ts";
import { HttpError } from "../http_error.ts";
import type { Asked, Reply, Route } from "../route.ts";

const ERRORS = [400, 401, 415, 429, 503] as const;
/** The original's status for a body that is too large, on its two routes. */
const TOO_LARGE = 400;

/** The routes. */
export const ingestRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/events",
    name: "storeEvent",
    about: "Takes one event. An id that the project has already changes nothing.",
    access: "key",
    reads: { "application/json": "One event, of at most 1 MiB" },
    ok: 202,
    errors: ERRORS,
    gives: '{"status":"accepted","id"}',
    async handle(asked): Promise<Reply> {
      const { intake, counters } = open(asked);
      const input = await readJson(asked.request, EVENT_BYTES_MAX, TOO_LARGE);
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
    about: "Takes up to 100 events, each by itself: those that are refused are listed.",
    access: "key",
    reads: { "application/json": "A list of events, or {events: […]}, of at most 5 MiB" },
    ok: 202,
    errors: ERRORS,
    gives: '{"status":"accepted","accepted","ids":[…],"errors":[{"index","error"}]}',
    async handle(asked): Promise<Reply> {
      const { intake, counters } = open(asked);
      const input = await readJson(asked.request, BULK_BYTES_MAX, TOO_LARGE);
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
      const verdict = await intake.take(projectOf(asked), valid.map(({ event }) => event));
      const count = accepted(verdict);
      for (const { index } of valid.slice(count)) errors.push({ index, error: "rate limited" });
      const ids = valid.slice(0, count).map(({ event }) => event.id);
      return { json: { status: "accepted", accepted: count, ids, errors } };
    },
  },
  sentryRoute(
    "envelope",
    "storeEnvelope",
    "What Sentry's SDKs send to a DSN. `project` is any number, or the key's project.",
    { "application/x-sentry-envelope": "An envelope, of at most 5 MiB" },
    async (asked) => {
      const envelope = readEnvelope(await readBytes(asked.request, BULK_BYTES_MAX));
      if (!envelope.ok) throw new HttpError(400, envelope.reason);
      const [first, ...others] = envelope.events;
      if (first === undefined) return { inputs: [], envelopeId: envelope.eventId };
      // The envelope's id is its event's: sent again, it is the same event.
      const named = { event_id: envelope.eventId, ...first };
      return { inputs: [named, ...others], envelopeId: envelope.eventId };
    },
  ),
  sentryRoute(
    "store",
    "storeSentryEvent",
    "What Sentry's older SDKs send: one event as JSON.",
    { "application/json": "One event, of at most 1 MiB" },
    async (asked) => {
      const input = await readJson(asked.request, EVENT_BYTES_MAX);
      return { inputs: [input], envelopeId: null };
    },
  ),
];

/** What one of Sentry's requests holds. */
interface Parcel {
  readonly inputs: readonly unknown[];
  readonly envelopeId: string | null;
}

function sentryRoute(
  verb: string,
  name: string,
  about: string,
  reads: Readonly<Record<string, string>>,
  read: (asked: Asked) => Promise<Parcel>,
): Route {
  return {
    method: "POST",
    path: `/api/:project/${verb}`,
    name,
    about,
    access: "key",
    reads,
    ok: 200,
    errors: [...ERRORS, 404, 413],
    gives: '{"id"}: without dashes',
    async handle(asked): Promise<Reply> {
      open(asked);
      mustBeProject(asked);
      return await takeSentry(asked, await read(asked));
    },
  };
}

/** 503 while the node stops. */
function open({ mesher }: Asked): Asked["mesher"] {
  if (!mesher.isOpen) throw new HttpError(503, "the node is stopping", { "retry-after": "1" });
  return mesher;
}

function projectOf({ who }: Asked): Project {
  if (who.kind !== "project") throw new HttpError(401, "unauthorized");
  return who.project;
}

/** A DSN's project must be a number for some SDKs; the key says which one it is. */
function mustBeProject(asked: Asked): void {
  const named = asked.params["project"]!;
  const { id, slug } = projectOf(asked);
  if (/^\d+$/.test(named) || named === slug || named.toLowerCase() === id) return;
  throw new HttpError(404, "project not found");
}

async function takeSentry(asked: Asked, { inputs, envelopeId }: Parcel): Promise<Reply> {
  const { intake, counters } = asked.mesher;
  const events: MesherEvent[] = [];
  let reason = "";
  for (const input of inputs) {
    const valid = eventFromSentry(input, intake.moment());
    if (valid.ok) events.push(valid.event);
    else reason = valid.reason;
  }
  counters.add("refused_invalid", inputs.length - events.length);
  if (events.length === 0 && inputs.length > 0) throw new HttpError(400, reason);
  if (events.length > 0) accepted(await intake.take(projectOf(asked), events));
  const id = events[0]?.id ?? envelopeId;
  return { json: isId(id) ? { id: bareId(id) } : {} };
}

/** How many were accepted. Throws the refusal of none. */
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
