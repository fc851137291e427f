/**
 * The list of the user's sessions, which the user can end.
 *
 * @module
 */
import { h } from "../dom.js";
import { button } from "../parts/controls.js";
import { confirm } from "../parts/dialog.js";
import { panel } from "../parts/panel.js";
import { attempt, load } from "../parts/work.js";
import { session as signedIn } from "../server/request.js";
import * as sessionsApi from "../server/sessions.js";
import { ago } from "../time.js";

/** @import * as model from "../model.js" */

const BROWSERS = /** @type {const} */ ([
  [/\bEdg\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bFirefox\//, "Firefox"],
  [/Chrome\//, "Chrome"],
  [/\bSafari\//, "Safari"],
]);
const SYSTEMS = /** @type {const} */ ([
  [/\bAndroid\b/, "Android"],
  [/\b(?:iPhone|iPad)\b/, "iOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b/, "macOS"],
  [/\bLinux\b/, "Linux"],
]);

/**
 * Draws the list of the user's sessions.
 *
 * @param {AbortSignal} signal
 * @returns {HTMLElement}
 */
export function sessionsPanel(signal) {
  const list = h("div");
  const refresh = (quiet = false) =>
    load(list, signal, () => sessionsApi.sessions(signal), (all) => {
      const sessions = all.filter(({ kind }) => kind === "session")
        .toSorted((a, b) => Number(b.isThis) - Number(a.isThis));
      return h("ul", { class: "rows" }, sessions.map(row));
    }, { quiet });

  /** Draws one session, with a button that ends it. @param {model.Session} session */
  function row(session) {
    const name = nameOf(session.label);
    const end = button("Sign out", {
      kind: "small quiet",
      "aria-label": `Sign out ${name}`,
      onclick: async () => {
        const words = session.isThis ? "You are signed out here." : "It has to sign in again.";
        if (!await confirm(`Sign out ${name}?`, words, "Sign out")) return;
        if (!await attempt(end, () => sessionsApi.endSession(session.id))) return;
        if (session.isThis) signedIn.dispatchEvent(new Event("signedout"));
        else refresh(true);
      },
    });
    return h(
      "li",
      { class: "row session" },
      h(
        "div",
        { class: "row-main" },
        h("span", { class: "row-title", title: session.label }, name),
        h("div", { class: "row-sub" }, h("span", null, "since ", ago(session.createdAt))),
      ),
      session.isThis && h("span", { class: "status resolved" }, "This one"),
      h("span", { class: "row-buttons" }, end),
    );
  }
  refresh();
  return panel("Where you are signed in", { class: "flush" }, list);
}

/**
 * Returns the name of a browser from its user agent.
 *
 * @param {string} label
 */
function nameOf(label) {
  const browser = BROWSERS.find(([pattern]) => pattern.test(label))?.[1];
  const system = SYSTEMS.find(([pattern]) => pattern.test(label))?.[1];
  if (browser === undefined) return label || "Something without a name";
  return system === undefined ? browser : `${browser} on ${system}`;
}
