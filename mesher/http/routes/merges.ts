/**
 * Routes for merging and splitting issues.
 *
 * @module
 */
import { MERGE_MAX } from "../../storage/merges.ts";
import { HttpError } from "../http_error.ts";
import type { Reply, Route } from "../route.ts";
import { personIn } from "../scope.ts";
import { fingerprintShape, issueShape } from "../shapes.ts";
import { announceChange, issueOf } from "./issues.ts";

/** The status and the text for each reason of a rejection. */
const REFUSALS = {
  no_issue: [404, "issue not found"],
  other_project: [400, "the issues are of different projects"],
  no_fingerprint: [400, "a fingerprint is not one of the issue's"],
  all_fingerprints: [400, "one fingerprint must stay with the issue"],
  busy: [409, "events of one of these issues are still being moved: try again later"],
} as const;

function refusal(reason: keyof typeof REFUSALS): HttpError {
  const [status, text] = REFUSALS[reason];
  return new HttpError(status, text);
}

/** The routes for merging and splitting. */
export const mergeRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/issues/:issue_id/merge",
    name: "mergeIssues",
    about: "Merges other issues of the project into an issue, with their events, counts, users, " +
      "comments and alerts. New events with their fingerprints are added to the issue.",
    access: "user",
    body: {
      issue_ids: { type: "strings", required: true, min: 1, max: MERGE_MAX },
    },
    ok: 200,
    errors: [400, 401, 404, 409],
    returns: "issue",
    async handle(asked): Promise<Reply> {
      const { orgId, issue } = await issueOf(asked);
      const ids = asked.body["issue_ids"] as string[];
      const { storage, live } = asked.mesher;
      const done = await storage.mergeIssues(orgId, issue.id, ids, personIn(asked).user.id);
      if (!done.ok) throw refusal(done.reason);
      for (const id of ids) {
        live.tell(issue.projectId, { type: "issue", action: "merged", issue_id: id });
      }
      await announceChange(asked, issue, "changed");
      return { json: issueShape(done.value) };
    },
  },
  {
    method: "POST",
    path: "/api/v1/issues/:issue_id/split",
    name: "splitIssue",
    about:
      "Splits fingerprints off an issue. They become one new issue, to which their events are moved.",
    access: "user",
    body: {
      fingerprints: { type: "strings", required: true, min: 1, max: MERGE_MAX },
    },
    ok: 200,
    errors: [400, 401, 404, 409],
    returns: "issue: the new issue",
    async handle(asked): Promise<Reply> {
      const { orgId, issue } = await issueOf(asked);
      const fingerprints = asked.body["fingerprints"] as string[];
      const { storage } = asked.mesher;
      const by = personIn(asked).user.id;
      const done = await storage.splitIssue(orgId, issue.id, fingerprints, by);
      if (!done.ok) throw refusal(done.reason);
      await announceChange(asked, issue, "changed");
      const made = await storage.issue(orgId, done.value.id) ?? done.value;
      return { json: issueShape(made) };
    },
  },
  {
    method: "GET",
    path: "/api/v1/issues/:issue_id/fingerprints",
    name: "listIssueFingerprints",
    about: "Lists the fingerprints of an issue: its own, then those that were merged into it.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    returns: '[{"fingerprint","title","culprit","merged_at"}]',
    async handle(asked): Promise<Reply> {
      const { orgId, issue } = await issueOf(asked);
      const found = await asked.mesher.storage.issueFingerprints(orgId, issue.id);
      return { json: (found ?? []).map(fingerprintShape) };
    },
  },
];
