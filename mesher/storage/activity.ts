/**
 * What happened to an issue, as a list that persons read: changes and comments.
 *
 * @module
 */
import type { JsonObject } from "../domain/event.ts";
import type { Page, PageRequest } from "./page.ts";

/** What may have happened. */
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
/** What happened. */
export type ActivityKind = typeof ACTIVITY_KINDS[number];

/** Characters of a comment; more is refused. */
export const COMMENT_CHARS_MAX = 4_096;

/** One entry. */
export interface Activity {
  readonly id: string;
  readonly issueId: string;
  readonly kind: ActivityKind;
  /** Null: the system. */
  readonly userId: string | null;
  /** Of comments `text`; of others what they are about. */
  readonly data: JsonObject;
  readonly createdAt: number;
}

/** Activity of issues. */
export interface Activities {
  /** Newest first. */
  activity(orgId: string, issueId: string, page: PageRequest): Promise<Page<Activity>>;
  /** Null: there is no such issue. */
  addComment(
    orgId: string,
    issueId: string,
    userId: string,
    text: string,
  ): Promise<Activity | null>;
  /** Deletes a comment, if the user wrote it. */
  deleteComment(orgId: string, commentId: string, userId: string): Promise<boolean>;
  /** The system's own: adds an entry that no person caused. */
  addActivity(issueId: string, kind: ActivityKind, data: JsonObject): Promise<void>;
}
