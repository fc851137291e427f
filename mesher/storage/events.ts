/**
 * Defines the events in the storage: their fields, writes and queries.
 *
 * @module
 */
import type { Level, MesherEvent } from "../domain/event.ts";
import type { Page, PageRequest } from "./page.ts";

/** Maximum number of events in one call of `writeEvents`, enforced by an assertion. */
export const WRITE_EVENTS_MAX = 10_000;

/** An event as the batch writer passes it to the storage. */
export interface NewEvent {
  readonly projectId: string;
  /** The fingerprint that `domain/fingerprint.ts` has computed; at most 64 characters. */
  readonly fingerprint: string;
  readonly title: string;
  readonly culprit: string;
  readonly receivedAt: number;
  readonly event: MesherEvent;
}

/** The result of writing one event of a batch. */
export type EventOutcome =
  /**
   * The event is stored. `first` is whether its issue is new, and `regressed` whether the event has
   * reopened its resolved issue.
   */
  | {
    readonly kind: "stored";
    readonly issueId: string;
    readonly first: boolean;
    readonly regressed: boolean;
  }
  /** The project already has an event with this id: nothing changed. */
  | { readonly kind: "duplicate" }
  /** The event's issue is discarded, so the event is not stored. */
  | { readonly kind: "discarded"; readonly issueId: string }
  /** The project does not exist, or was deleted. */
  | { readonly kind: "orphan" };

/** The fields of an event in a list. */
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
  /** The id of the next event of the issue, in the order of reception. */
  readonly nextId: string | null;
  /** The id of the previous event of the issue. */
  readonly previousId: string | null;
}

/** A filter of events. Absent conditions are not applied. */
export interface EventFilter {
  /**
   * Words that must all occur in the title, message or exceptions. The last word may be a prefix.
   */
  readonly query?: string | undefined;
  readonly issueId?: string | undefined;
  readonly level?: Level | undefined;
  readonly environment?: string | undefined;
  readonly release?: string | undefined;
  /** The id, address, name or IP address of the user. */
  readonly user?: string | undefined;
  /** Tags that an event must all have. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Events received at this time or later, in milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Events received before this time, in milliseconds since the epoch. */
  readonly before?: number | undefined;
}

/** Writes and queries of events. */
export interface Events {
  /**
   * Internal: stores a batch in one transaction. If it rejects, no event is stored. Creates missing
   * issues, counts events, and reopens resolved issues. An id that the project already has changes
   * nothing, so that a batch may be written again. Outcomes are in the order of `batch`. If two
   * events of a batch have the same id, the second is the duplicate. If several events of a batch
   * belong to a new issue, only the first of them has `first`.
   */
  writeEvents(batch: readonly NewEvent[]): Promise<readonly EventOutcome[]>;
  /** Returns a page of a project's events, newest first by time of reception, then by id. */
  events(
    orgId: string,
    projectId: string,
    filter: EventFilter,
    page: PageRequest,
  ): Promise<Page<EventSummary>>;
  /** Returns a page of an issue's events, newest first by time of reception, then by id. */
  issueEvents(
    orgId: string,
    issueId: string,
    page: PageRequest,
  ): Promise<Page<EventSummary>>;
  event(orgId: string, eventId: string): Promise<EventDetail | null>;
  /** Internal: returns the number of events that a project has received since a time. */
  eventCount(projectId: string, since: number): Promise<number>;
}
