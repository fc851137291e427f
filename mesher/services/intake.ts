/**
 * Accepts validated events, by whichever route they arrive: samples them, counts them against the
 * rate limit of their project, removes secrets from them, and adds them to the inbox. An event in
 * the inbox is accepted, and is not lost unless this process ends.
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

/** The result of one request. */
export type Verdict =
  /** The first `accepted` events were accepted. The others exceed the rate limit. */
  | { readonly kind: "accepted"; readonly accepted: number; readonly retryAfterMs: number }
  | { readonly kind: "rate_limited"; readonly retryAfterMs: number }
  /** The inbox is full, because the storage is too slow or unavailable. */
  | { readonly kind: "full" };

/** Accepts events on one node. */
export class Intake {
  readonly #parts: Parts;
  readonly #rates: Rates;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#rates = new Rates(parts.node, parts.now);
  }

  /**
   * Returns what validation needs: the time, a function that creates ids, and the client's address.
   */
  moment(address?: string): Moment {
    const now = this.#parts.now();
    return { now, newId: () => newId(now), ...(address === undefined ? {} : { address }) };
  }

  /** Accepts valid events of one project. */
  async take(project: Project, events: readonly MesherEvent[]): Promise<Verdict> {
    const { counters, inbox, held, eventCounter } = this.#parts;
    const { granted, retryAfterMs } = await this.#rates.take(project.id, events.length);
    if (granted < events.length) counters.add("rate_limited", events.length - granted);
    if (granted === 0) return { kind: "rate_limited", retryAfterMs };
    const passed = events.slice(0, granted);
    // Events that are not sampled are reported to the sender as accepted.
    const kept = passed.filter(({ id }) => isSampled(id, project.sampleRate));
    counters.add("sampled_out", passed.length - kept.length);
    const receivedAt = this.#parts.now();
    const items = kept.map((event) => ({
      projectId: project.id,
      receivedAt,
      event: scrubbed(event, project.scrub),
    }));
    // This node may hold the events only after its peers know of a ceiling that includes them.
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
