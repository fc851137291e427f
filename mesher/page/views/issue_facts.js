/**
 * The facts beside an issue: its numbers, times and releases, and its assignment.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { select } from "../parts/controls.js";
import { attempt } from "../parts/work.js";
import { href } from "../router.js";
import * as issuesApi from "../server/issues.js";
import { ago, count } from "../time.js";

/** @import { App } from "../app.js" */
/** @import * as model from "../model.js" */

/**
 * Returns the facts about an issue. One of them is a control that assigns the issue to a member.
 *
 * @param {model.Issue} found
 * @param {App} app
 * @param {() => void} changed Called after the issue was assigned.
 * @returns {(HTMLElement | false)[]}
 */
export function issueFacts(found, app, changed) {
  const who = select([["", "Nobody"]], "", {
    id: "assign",
    "aria-label": "Assigned to",
    onchange: () =>
      attempt(null, async () => {
        try {
          await issuesApi.assign(found.id, who.value);
        } finally {
          changed();
        }
      }),
  });
  app.members().then((members) => {
    fill(
      who,
      [{ userId: "", name: "Nobody" }, ...members].map(({ userId, name }) =>
        h("option", { value: userId }, name)
      ),
    );
    who.value = found.assignedTo ?? "";
  }, () => {});
  return [
    fact("Events", count(found.count)),
    fact("Users", count(found.users)),
    fact("Last seen", ago(found.lastSeen)),
    fact("First seen", ago(found.firstSeen)),
    found.firstRelease !== null && fact("First release", releaseLink(found.firstRelease)),
    found.lastRelease !== null && fact("Last release", releaseLink(found.lastRelease)),
    fact("Assigned to", who),
  ];
}

/** Draws a link to the issues with events of a release. @param {string} version */
function releaseLink(version) {
  return h(
    "a",
    { href: href(["issues"], { q: `release:"${version}"`, status: "all" }), title: version },
    version,
  );
}

/**
 * Draws one fact with its name.
 *
 * @param {string} name
 * @param {import("../dom.js").Child} value
 */
function fact(name, value) {
  return h("div", { class: "fact" }, h("span", null, name), h("strong", null, value));
}
