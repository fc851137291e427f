/**
 * Converts an event to the columns that both database engines write.
 *
 * @module
 */
import { marksOf } from "../domain/words.ts";
import { cleanText, jsonText } from "./json.ts";
import type { NewEvent } from "./events.ts";

/** The columns of an event in the database. */
export interface EventColumns {
  readonly id: string;
  readonly projectId: string;
  readonly fingerprint: string;
  readonly level: string;
  readonly title: string;
  readonly culprit: string;
  readonly message: string;
  readonly environment: string | null;
  readonly release: string | null;
  readonly tags: string;
  /** The whole event as JSON. The other columns are copies of its parts, for queries. */
  readonly payload: string;
  /** The text in which searches look for words. */
  readonly searched: string;
  /** Marks of the values by which events are filtered, separated by spaces. */
  readonly marks: string;
  readonly eventAt: number;
  readonly receivedAt: number;
}

/** Returns the columns of an event, without characters that a database rejects. */
export function columnsOf(entry: NewEvent): EventColumns {
  const { event } = entry;
  const optional = (text: string | null): string | null => text === null ? null : cleanText(text);
  return {
    id: event.id,
    projectId: entry.projectId,
    fingerprint: cleanText(entry.fingerprint),
    level: event.level,
    title: cleanText(entry.title),
    culprit: cleanText(entry.culprit),
    message: cleanText(event.message),
    environment: optional(event.environment),
    release: optional(event.release),
    tags: jsonText(event.tags),
    payload: jsonText(event),
    searched: cleanText(searchedText(entry)),
    marks: marksOf(event).join(" "),
    eventAt: Math.trunc(event.timestamp),
    receivedAt: Math.trunc(entry.receivedAt),
  };
}

function searchedText({ title, culprit, event }: NewEvent): string {
  const exceptions = event.exceptions.map(({ type, value }) => `${type} ${value}`);
  return [title, ...exceptions, culprit, event.message, event.transaction ?? ""].join("\n");
}

/** Returns the key by which an event is identified within a batch. */
export function eventKey(row: { readonly projectId: string; readonly id: string }): string {
  return `${row.projectId}/${row.id}`;
}

/** Returns the key by which an issue is identified within a batch. */
export function issueKey(
  row: { readonly projectId: string; readonly fingerprint: string },
): string {
  return `${row.projectId}/${row.fingerprint}`;
}

/**
 * Returns the key by which the user of an event is counted: the mark of the first known value of
 * id, address, name and IP address. Returns null for an event without a user.
 */
export function userKeyOf({ marks }: Pick<EventColumns, "marks">): string | null {
  return /(?:^| )(__u[0-9a-f]+)/.exec(marks)?.[1] ?? null;
}
