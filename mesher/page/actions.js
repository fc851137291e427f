/**
 * Actions on one or several issues, wherever they are shown. Actions that delete data ask for
 * confirmation; others can be undone.
 *
 * @module
 */
import { confirm } from "./parts/dialog.js";
import { toast } from "./parts/toast.js";
import { attempt, wordsFor } from "./parts/work.js";
import * as issuesApi from "./server/issues.js";
import { plural } from "./time.js";

/** @import * as model from "./model.js" */
/** @import { IconName } from "./icons.js" */
/** @import { Action } from "./server/issues.js" */

/** Maximum number of concurrent requests for an action on several issues. */
const REQUESTS_MAX = 6;

/**
 * The actions, with their texts and icons.
 *
 * @type {Record<Action, { text: string, done: string, icon: IconName }>}
 */
export const ACTIONS = {
  resolve: { text: "Resolve", done: "resolved", icon: "check" },
  archive: { text: "Ignore", done: "ignored until there is a spike", icon: "ignore" },
  unresolve: { text: "Reopen", done: "reopened", icon: "undo" },
  discard: { text: "Discard", done: "discarded", icon: "close" },
  delete: { text: "Delete", done: "deleted", icon: "trash" },
};

/** The confirmation question of an action. @type {Partial<Record<Action, string>>} */
const WARNINGS = {
  discard: "New events will be dropped without being stored, until one reopens it.",
  delete: "All its events are deleted for good.",
};

/** The action that leads to each state. @type {Record<model.IssueStatus, Action>} */
const ACTION_BY_STATE = {
  unresolved: "unresolve",
  resolved: "resolve",
  archived: "archive",
  discarded: "discard",
};

/**
 * Returns the actions that are available in a state.
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
 * Returns the state that an action leads to.
 *
 * @param {Action} action
 * @returns {model.IssueStatus}
 */
export function statusAfter(action) {
  const states = /** @type {model.IssueStatus[]} */ (Object.keys(ACTION_BY_STATE));
  return states.find((status) => ACTION_BY_STATE[status] === action) ?? "unresolved";
}

/**
 * Performs an action on issues, after a confirmation if it deletes data. Shows the result, and
 * offers to undo it.
 *
 * @param {readonly model.Issue[]} issues
 * @param {Action} action
 * @param {{ button?: HTMLButtonElement | null, undone: () => void }} options `undone`: called after
 * an undo.
 * @returns {Promise<model.Issue[]>} The changed issues.
 */
export async function actOn(issues, action, { button = null, undone }) {
  const warning = WARNINGS[action];
  const things = issues.length === 1 ? "this issue" : plural(issues.length, "issue");
  if (warning !== undefined) {
    const { text } = ACTIONS[action];
    if (!await confirm(`${text} ${things}?`, warning, text)) return [];
  }
  /** The issues that were changed. @type {model.Issue[]} */
  const done = [];
  await attempt(button, async () => {
    const problem = await toAll(issues, async (issue) => {
      await issuesApi.act(issue.id, action);
      done.push(issue);
    });
    if (problem !== null) throw problem;
  });
  if (done.length === 0) return done;
  const what = done.length === 1 ? "Issue" : plural(done.length, "issue");
  toast(
    `${what} ${ACTIONS[action].done}`,
    action === "delete" ? {} : {
      undo: async () => {
        const back = (/** @type {model.Issue} */ { id, status }) =>
          issuesApi.act(id, ACTION_BY_STATE[status]);
        const problem = await toAll(done, back);
        if (problem !== null) toast(wordsFor(problem), { kind: "bad" });
        undone();
      },
    },
  );
  return done;
}

/**
 * Merges issues into the one with the most events, after a confirmation.
 *
 * @param {readonly model.Issue[]} issues
 * @param {HTMLButtonElement | null} button
 * @returns {Promise<model.Issue | null>} The merged issue, or null if it was cancelled.
 */
export async function mergeAll(issues, button) {
  const [target, ...others] = issues.toSorted((a, b) => b.count - a.count);
  if (target === undefined || others.length === 0) return null;
  const yes = await confirm(
    `Merge ${plural(issues.length, "issue")}?`,
    `All become “${target.title}”, with their events and comments. It can be split again.`,
    "Merge",
    { isSafe: true },
  );
  if (!yes) return null;
  /** The merged issue. @type {model.Issue | null} */
  let merged = null;
  await attempt(button, async () => {
    merged = await issuesApi.merge(target.id, others.map(({ id }) => id));
  });
  if (merged !== null) toast(`${plural(issues.length, "issue")} merged`);
  return merged;
}

/**
 * Calls a function for each item, a few at once, and continues after a failure.
 *
 * @template T
 * @param {readonly T[]} list
 * @param {(one: T) => Promise<void>} work
 * @returns {Promise<unknown>} The first failure, or null.
 */
async function toAll(list, work) {
  const rest = [...list];
  /** The error of the first failed call; null if none has failed. @type {unknown} */
  let problem = null;
  const lane = async () => {
    for (let one = rest.shift(); one !== undefined; one = rest.shift()) {
      try {
        await work(one);
      } catch (error) {
        problem ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: REQUESTS_MAX }, lane));
  return problem;
}
