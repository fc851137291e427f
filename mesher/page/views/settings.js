/**
 * The view of settings, with tabs: project, keys, members, tokens, account.
 *
 * @module
 */
import { h } from "../dom.js";
import { tabs } from "../parts/panel.js";
import { accountSettings } from "./settings_account.js";
import { keySettings } from "./settings_keys.js";
import { memberSettings } from "./settings_members.js";
import { projectSettings } from "./settings_project.js";
import { releaseSettings } from "./settings_releases.js";
import { tokenSettings } from "./settings_tokens.js";

/** @import { Context } from "../app.js" */

const TABS = /** @type {const} */ ([
  ["", "Project", projectSettings],
  ["keys", "Keys", keySettings],
  ["releases", "Releases", releaseSettings],
  ["members", "Members", memberSettings],
  ["tokens", "Tokens", tokenSettings],
  ["account", "Account", accountSettings],
]);

/**
 * Draws the tabs, and the settings of the current tab.
 *
 * @param {Context} context
 * @returns {HTMLElement}
 */
export function settingsView(context) {
  const which = context.place.parts[1] ?? "";
  const [, , draw] = TABS.find(([name]) => name === which) ?? TABS[0];
  return h(
    "div",
    { class: "view" },
    h("header", { class: "view-head" }, h("h1", null, "Settings")),
    tabs(
      "Settings",
      TABS.map(([name, text]) => ({
        text,
        href: name === "" ? "#/settings" : `#/settings/${name}`,
        current: name === which,
      })),
    ),
    draw(context),
  );
}
