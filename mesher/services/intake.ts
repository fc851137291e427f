/**
 * The door: every event comes in here, by whatever way. It is validated before; here it is sampled,
 * counted against its project's limit, cleared of secrets and put into the inbox. What the inbox took is accepted, and is not
 * lost while this process lives.
 *
 * @module
 */
import type { MesherEvent } from "../domain/event.ts";
import { newId } from "../domain/id.ts";
import { isSampled } from "../domain/sampling.ts";
import { scrubbed } from "../domain/scrub.ts";
import type { Moment } from "../domain/validate.ts";
import type { Parts } from "../parts.ts";
import type { Project } from "../storage/projects.ts";
import { Rates } from "./rates.ts";

/** What became of the events of one request. */
export type Verdict =
  /** The first `accepted` of them were taken; the others were too many. */
  | { readonly kind: "accepted"; readonly accepted: number; readonly retryAfterMs: number }
  | { readonly kind: "rate_limited"; readonly retryAfterMs: number }
  /** Nothing more fits: storage does not keep up, or is away. */
  | { readonly kind: "full" };

/** The door of one node. */
export class Intake {
  readonly #parts: Parts;
  readonly #rates: Rates;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#rates = new Rates(parts.node, parts.now);
  }

  /** What events are judged by, now. */
  moment(): Moment {
    const now = this.#parts.now();
    return { now, newId: () => newId(now) };
  }

  /** Takes valid events of one project. */
  async take(project: Project, events: readonly MesherEvent[]): Promise<Verdict> {
    const { counters, inbox, held, eventCounter } = this.#parts;
    const { granted, retryAfterMs } = await this.#rates.take(project.id, events.length);
    if (granted < events.length) counters.add("rate_limited", events.length - granted);
    if (granted === 0) return { kind: "rate_limited", retryAfterMs };
    const passed = events.slice(0, granted);
    // Those that are not sampled were accepted too, as far as their sender is concerned.
    const kept = passed.filter(({ id }) => isSampled(id, project.sampleRate));
    counters.add("sampled_out", passed.length - kept.length);
    const receivedAt = this.#parts.now();
    const items = kept.map((event) => ({
      projectId: project.id,
      receivedAt,
      event: scrubbed(event, project.scrub),
    }));
    // Peers know how much we may hold before we hold it.
    while (inbox.room >= items.length && !held.fits(items.length)) await held.raise(items.length);
    if (!inbox.push(items)) {
      counters.add("refused_full", kept.length);
      return { kind: "full" };
    }
    counters.add("accepted", kept.length);
    eventCounter.count += kept.length;
    return { kind: "accepted", accepted: granted, retryAfterMs };
  }
}
