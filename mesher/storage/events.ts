/**
 * Events: what is written, what is kept, and what may be asked.
 *
 * @module
 */
import type { Level, MesherEvent } from "../domain/event.ts";
import type { Page, PageRequest } from "./page.ts";

/** At most this many events go into one call of `writeEvents`; more is refused by an assertion. */
export const WRITE_EVENTS_MAX = 10_000;

/** An event as the batch writer hands it over. */
export interface NewEvent {
  readonly projectId: string;
  /** From `domain/fingerprint.ts`; at most 64 characters. */
  readonly fingerprint: string;
  readonly title: string;
  readonly culprit: string;
  readonly receivedAt: number;
  readonly event: MesherEvent;
}

/** What became of one event of a batch. */
export type EventOutcome =
  /** It is stored. `first`: its issue is new. `regressed`: its issue was resolved, and is not now. */
  | {
    readonly kind: "stored";
    readonly issueId: string;
    readonly first: boolean;
    readonly regressed: boolean;
  }
  /** The project has an event of this id: nothing changed. */
  | { readonly kind: "duplicate" }
  /** Its issue is discarded: nothing is stored. */
  | { readonly kind: "discarded"; readonly issueId: string }
  /** There is no such project (any more). */
  | { readonly kind: "orphan" };

/** What a list of events shows of each. */
export interface EventSummary {
  readonly id: string;
  readonly projectId: string;
  readonly issueId: string;
  readonly level: Level;
  readonly title: string;
  readonly message: string;
  readonly environment: string | null;
  readonly release: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly timestamp: number;
  readonly receivedAt: number;
}

/** An event as stored, with the events before and after it in its issue. */
export interface EventDetail {
  readonly projectId: string;
  readonly issueId: string;
  readonly fingerprint: string;
  readonly title: string;
  readonly receivedAt: number;
  readonly event: MesherEvent;
  /** The next later event of the issue. */
  readonly nextId: string | null;
  /** The next earlier one. */
  readonly previousId: string | null;
}

/** Which events. Absent conditions are not applied. */
export interface EventFilter {
  /** Words that the title, message or exceptions hold, all of them; the last may be a beginning. */
  readonly query?: string | undefined;
  readonly issueId?: string | undefined;
  readonly level?: Level | undefined;
  readonly environment?: string | undefined;
  readonly release?: string | undefined;
  /** The id, address, name or IP address of the user. */
  readonly user?: string | undefined;
  /** All of these. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Received at or after. */
  readonly since?: number | undefined;
  /** Received before. */
  readonly before?: number | undefined;
}

/** Events. */
export interface Events {
  /**
   * The system's own. Stores a batch in one transaction: all of it or, when it rejects, none. Makes the
   * issues that are missing, counts, moves resolved issues back to unresolved. An id that the project
   * already has changes nothing, so that a batch may be written again. Outcomes are in the order of
   * `batch`; of two of one id in a batch the second is the duplicate, and of several first events of an
   * issue only the first is `first`.
   */
  writeEvents(batch: readonly NewEvent[]): Promise<readonly EventOutcome[]>;
  /** By when they were received, newest first; at equal times by id. */
  events(
    orgId: string,
    projectId: string,
    filter: EventFilter,
    page: PageRequest,
  ): Promise<Page<EventSummary>>;
  /** The same, of one issue. */
  issueEvents(
    orgId: string,
    issueId: string,
    page: PageRequest,
  ): Promise<Page<EventSummary>>;
  event(orgId: string, eventId: string): Promise<EventDetail | null>;
  /** The system's own: how many events a project received since then. */
  eventCount(projectId: string, since: number): Promise<number>;
}
