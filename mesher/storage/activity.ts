/**
 * The activity of an issue that users see: changes and comments.
 *
 * @module
 */
import type { JsonObject } from "../domain/event.ts";
import type { Page, PageRequest } from "./page.ts";

/** The kinds of activity entries. */
export const ACTIVITY_KINDS = [
  "comment",
  "resolved",
  "archived",
  "unresolved",
  "discarded",
  "assigned",
  "merged",
  "split",
  "regressed",
] as const;
/** The kind of an entry. */
export type ActivityKind = typeof ACTIVITY_KINDS[number];

/** Maximum number of characters of a comment. A longer comment is rejected. */
export const COMMENT_CHARS_MAX = 4_096;

/** An entry in the activity of an issue. */
export interface Activity {
  readonly id: string;
  readonly issueId: string;
  readonly kind: ActivityKind;
  /** The user who caused the entry; null for the system. */
  readonly userId: string | null;
  /** `text` for comments; the details of the change for other kinds. */
  readonly data: JsonObject;
  readonly createdAt: number;
}

/** Queries and changes of the activity of issues. */
export interface Activities {
  /** Returns a page of an issue's activity, newest first. */
  activity(orgId: string, issueId: string, page: PageRequest): Promise<Page<Activity>>;
  /** Adds a comment. Returns null if there is no such issue. */
  addComment(
    orgId: string,
    issueId: string,
    userId: string,
    text: string,
  ): Promise<Activity | null>;
  /** Deletes a comment if the user wrote it. */
  deleteComment(orgId: string, commentId: string, userId: string): Promise<boolean>;
  /** Internal: adds an entry that was not caused by a user. */
  addActivity(issueId: string, kind: ActivityKind, data: JsonObject): Promise<void>;
}
