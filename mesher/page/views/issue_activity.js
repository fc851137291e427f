/**
 * The view of an issue's history, with comments.
 *
 * @module
 */
import { h } from "../dom.js";
import { avatar } from "../parts/badges.js";
import { button, iconButton } from "../parts/controls.js";
import { attempt, listFoot, load } from "../parts/work.js";
import { href } from "../router.js";
import * as issuesApi from "../server/issues.js";
import { objectOf } from "../server/values.js";
import { ago, plural } from "../time.js";

/** @import { App } from "../app.js" */
/** @import * as model from "../model.js" */

/**
 * Draws the activity of an issue, with a form for a comment.
 *
 * @param {{ app: App, issueId: string, signal: AbortSignal }} options
 * @returns {HTMLElement}
 */
export function issueActivity({ app, issueId, signal }) {
  const list = h("ol", { class: "activity" });
  const body = h("div");
  /** The members of the organisation. @type {model.Member[]} */
  let members = [];
  const refresh = (quiet = true) =>
    load(body, signal, async () => {
      members = await app.members().catch(() => []);
      return issuesApi.activity(issueId, {}, signal);
    }, (page) => {
      list.replaceChildren();
      return [list, more(page)];
    }, { bones: 4, quiet });

  /**
   * Adds a page of entries to the list. Returns the foot of the list.
   *
   * @param {model.Page<model.Activity>} page
   * @returns {HTMLElement}
   */
  function more(page) {
    list.append(...page.rows.map(entry));
    if (page.rows.length === 0 && list.childElementCount === 0) {
      return h("p", { class: "dim pad" }, "Nothing has happened to this issue yet.");
    }
    return listFoot(
      page.next,
      async (next) => more(await issuesApi.activity(issueId, next, signal)),
    );
  }

  /** Draws one entry. @param {model.Activity} one */
  function entry(one) {
    const member = members.find(({ userId }) => userId === one.userId);
    const name = one.userId === null ? "Mesher" : member?.name ?? "A former member";
    const isOwn = one.kind === "comment" && one.userId === app.user.id;
    const remove = isOwn && iconButton("trash", "Delete this comment", {
      onclick: () =>
        attempt(null, async () => {
          await issuesApi.deleteComment(one.id);
          refresh();
        }),
    });
    return h(
      "li",
      { class: `activity-entry ${one.kind}` },
      avatar(name),
      h(
        "div",
        { class: "activity-words" },
        h("p", null, h("strong", null, name), " ", wordsOf(one, members), " · ", ago(one.at)),
        one.kind === "comment" && h("p", { class: "comment" }, String(one.data.text ?? "")),
      ),
      remove,
    );
  }

  const box = h("textarea", {
    id: "comment",
    rows: 3,
    maxlength: 4096,
    placeholder: "Add a comment",
    "aria-label": "Comment",
  });
  const send = button("Comment", { kind: "primary", type: "submit" });
  const form = h(
    "form",
    {
      class: "comment-form",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        if (box.value.trim() === "") return box.focus();
        attempt(send, async () => {
          await issuesApi.comment(issueId, box.value);
          box.value = "";
          refresh();
        });
      },
    },
    box,
    send,
  );
  refresh(false);
  return h("section", { class: "panel flush" }, form, body);
}

/**
 * Returns a text about an entry, to follow the name of its user.
 *
 * @param {model.Activity} entry
 * @param {readonly model.Member[]} members
 */
function wordsOf({ kind, data }, members) {
  switch (kind) {
    case "comment":
      return "commented";
    case "resolved":
      return typeof data.after === "string"
        ? `resolved it in the release after ${data.after}`
        : "resolved it";
    case "archived":
      return "ignored it";
    case "unresolved":
      return "reopened it";
    case "discarded":
      return "discarded it";
    case "assigned": {
      const member = members.find(({ userId }) => userId === data.to);
      return data.to === null ? "unassigned it" : `assigned it to ${member?.name ?? "a member"}`;
    }
    case "merged": {
      const titles = Array.isArray(data.titles) ? data.titles.join(", ") : "";
      return `merged ${plural(Number(data.count), "issue")} into it: ${titles}`;
    }
    case "split": {
      const { to, from } = data;
      const other = objectOf(to ?? from);
      const link = h("a", { href: href(["issues", String(other.issue)]) }, String(other.title));
      return [to === undefined ? "split it off " : "split off ", link];
    }
    case "regressed":
      return typeof data.release === "string"
        ? `reopened it: it came again in release ${data.release}`
        : "reopened it: it came again";
    default:
      return kind;
  }
}
