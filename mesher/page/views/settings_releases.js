/**
 * The list of a project's releases.
 *
 * @module
 */
import { h } from "../dom.js";
import { empty, panel } from "../parts/panel.js";
import { listFoot, load } from "../parts/work.js";
import { href } from "../router.js";
import * as issuesApi from "../server/issues.js";
import { ago, plural } from "../time.js";

/** @import { Context } from "../app.js" */
/** @import * as model from "../model.js" */

/** Draws the list of releases. @param {Context} context @returns {HTMLElement} */
export function releaseSettings({ project, signal }) {
  const list = h("ul", { class: "rows", "aria-label": "Releases" });
  const body = h("div");

  /**
   * Adds a page of releases to the list. Returns the foot of the list.
   *
   * @param {model.Page<model.Release>} page
   * @returns {HTMLElement}
   */
  function more(page) {
    list.append(...page.rows.map(row));
    return listFoot(
      page.next,
      async (next) => more(await issuesApi.releases(project.id, next, signal)),
    );
  }

  load(
    body,
    signal,
    () => issuesApi.releases(project.id, {}, signal),
    (page) =>
      page.rows.length === 0
        ? empty("No releases", "An event with a release makes it, and so does sentry-cli.")
        : [list, more(page)],
    { bones: 4 },
  );
  return panel("Releases", { class: "flush" }, body);
}

/** Draws one release. @param {model.Release} release */
function row({ version, createdAt, newIssues, lastSeen }) {
  return h(
    "li",
    { class: "row release" },
    h(
      "div",
      { class: "row-main" },
      h(
        "a",
        {
          class: "row-title",
          href: href(["issues"], { q: `release:"${version}"`, status: "all" }),
          data: { row: "" },
        },
        version,
      ),
      h("div", { class: "row-sub" }, plural(newIssues, "new issue"), " · since ", ago(createdAt)),
    ),
    h(
      "span",
      { class: "row-when" },
      lastSeen === null ? "no issues now" : ["last error ", ago(lastSeen)],
    ),
  );
}
