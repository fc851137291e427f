/**
 * What can be done to an issue, wherever it is shown.
 *
 * @module
 */
import * as issuesApi from "./server/issues.js";
import { confirm } from "./parts/dialog.js";
import { toast } from "./parts/toast.js";
import { attempt } from "./parts/work.js";

/** @import * as model from "./model.js" */
/** @import { IconName } from "./icons.js" */
/** @typedef {"resolve" | "archive" | "unresolve" | "discard" | "delete"} Action */

/** @type {Record<Action, { text: string, done: string, icon: IconName }>} */
export const ACTIONS = {
  resolve: { text: "Resolve", done: "Resolved", icon: "check" },
  archive: { text: "Ignore", done: "Ignored until it spikes", icon: "ignore" },
  unresolve: { text: "Reopen", done: "Reopened", icon: "undo" },
  discard: {
    text: "Discard",
    done: "Discarded: its events are dropped from now on",
    icon: "close",
  },
  delete: { text: "Delete", done: "Deleted", icon: "trash" },
};

/**
 * What makes sense in a state.
 *
 * @param {model.IssueStatus} status
 * @returns {Action[]}
 */
export function actionsFor(status) {
  switch (status) {
    case "unresolved":
      return ["resolve", "archive", "discard"];
    case "archived":
      return ["unresolve", "resolve", "discard"];
    case "resolved":
      return ["unresolve", "archive", "discard"];
    case "discarded":
      return ["unresolve"];
  }
}

/**
 * Does it, after a question when it loses something. Whether it was done.
 *
 * @param {model.Issue} issue
 * @param {Action} action
 * @param {HTMLButtonElement | null} button
 * @returns {Promise<boolean>}
 */
export async function actOn(issue, action, button) {
  if (action === "discard") {
    const words = "New events of this issue will be dropped without being stored, until it is " +
      "reopened.";
    if (!await confirm("Discard this issue?", words, "Discard")) return false;
  }
  if (action === "delete") {
    const words = "The issue and all its events are deleted for good.";
    if (!await confirm("Delete this issue?", words, "Delete")) return false;
  }
  const done = await attempt(button, () => issuesApi.act(issue.id, action));
  if (done) toast(ACTIONS[action].done);
  return done;
}
