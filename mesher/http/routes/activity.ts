/**
 * Routes of the activity of issues, and of comments.
 *
 * @module
 */
import { COMMENT_CHARS_MAX } from "../../storage/activity.ts";
import { changeRoute } from "../change.ts";
import type { Reply, Route } from "../route.ts";
import { inScope, pageOf, personIn } from "../scope.ts";
import { activityShape, pageShape } from "../shapes.ts";
import { announceChange, issueOf, PAGE } from "./issues.ts";

/** The routes of activity. */
export const activityRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/issues/:issue_id/activity",
    name: "listIssueActivity",
    about: "Lists the changes and comments of an issue with their users, newest first.",
    access: "user",
    query: PAGE,
    ok: 200,
    errors: [400, 401, 404],
    returns: '{"data":[{"id","kind","user_id","data","created_at"}],"has_more","next_cursor",' +
      '"next_cursor_id"}',
    async handle(asked): Promise<Reply> {
      const { orgId, issue } = await issueOf(asked);
      const page = await asked.mesher.storage.activity(orgId, issue.id, pageOf(asked, 25));
      return { json: pageShape(page, activityShape) };
    },
  },
  {
    method: "POST",
    path: "/api/v1/issues/:issue_id/comments",
    name: "addComment",
    about: "Adds a comment to an issue.",
    access: "user",
    body: { text: { type: "string", required: true, max: COMMENT_CHARS_MAX } },
    ok: 200,
    errors: [400, 401, 404],
    returns: '{"id","kind","user_id","data","created_at"}',
    async handle(asked): Promise<Reply> {
      const id = asked.params["issue_id"]!;
      const text = (asked.body["text"] as string).trim();
      const { storage } = asked.mesher;
      const entry = await inScope(
        asked,
        "issue",
        (orgId) => storage.addComment(orgId, id, personIn(asked).user.id, text),
      );
      const { issue } = await issueOf(asked);
      await announceChange(asked, issue, "commented");
      return { json: activityShape(entry) };
    },
  },
  changeRoute({
    path: "/api/v1/comments/:comment_id/delete",
    name: "deleteComment",
    about: "Deletes one of the user's own comments.",
  }, async (asked) => {
    const id = asked.params["comment_id"]!;
    const { storage } = asked.mesher;
    const userId = personIn(asked).user.id;
    return await inScope(asked, "comment", (orgId) => storage.deleteComment(orgId, id, userId));
  }),
];
