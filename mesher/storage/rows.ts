/**
 * What both engines write of an event, made once.
 *
 * @module
 */
import { marksOf } from "../domain/words.ts";
import { cleanText, jsonText } from "./json.ts";
import type { NewEvent } from "./events.ts";

/** An event's columns. */
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
  /** The whole event; the other columns are copies for questions. */
  readonly payload: string;
  /** The text whose words search finds it by. */
  readonly searched: string;
  /** Marks of the values that events are filtered by, with blanks between. */
  readonly marks: string;
  readonly eventAt: number;
  readonly receivedAt: number;
}

/** The columns of an event, with nothing in them that a database refuses. */
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

/** The key of an event in its batch. */
export function eventKey(row: { readonly projectId: string; readonly id: string }): string {
  return `${row.projectId}/${row.id}`;
}

/** The key of an issue in its batch. */
export function issueKey(
  row: { readonly projectId: string; readonly fingerprint: string },
): string {
  return `${row.projectId}/${row.fingerprint}`;
}
