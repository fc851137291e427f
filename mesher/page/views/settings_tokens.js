/**
 * The settings for the user's tokens, with which programs use the API; and instructions.
 *
 * @module
 */
import { BASE } from "../base.js";
import { h } from "../dom.js";
import { copyable, field, select } from "../parts/controls.js";
import { secretsView } from "../parts/secrets.js";
import * as sessionsApi from "../server/sessions.js";
import { ago, until } from "../time.js";

/** @import { Context } from "../app.js" */

/** The scopes that a user can choose from. @type {[string, string][]} */
const SCOPES = [
  ["", "Everything you may do"],
  ["read", "Read"],
  ["read issues", "Read, and change issues"],
  ["releases", "Releases and source maps"],
  ["read manage", "Read, and manage projects"],
];

/** Draws the user's tokens. @param {Context} context @returns {HTMLElement} */
export function tokenSettings({ project, signal }) {
  const scopes = select(SCOPES, "", {});
  return secretsView({
    fields: field("What it may do", scopes),
    kind: "token",
    title: "Your tokens",
    none: "A program needs one to read issues, or to resolve them.",
    label: "What it is for",
    example: "CI",
    warning: "Programs that use it are refused from now on.",
    use: "Using the API",
    mayMake: true,
    signal,
    list: async () =>
      (await sessionsApi.sessions(signal)).filter(({ kind }) => kind === "token")
        .map(({ id, label, scopes, createdAt, expiresAt }) => ({
          id,
          label,
          details: [
            h("span", null, scopes === null ? "all" : scopes.join(", ")),
            h("span", null, "made ", ago(createdAt)),
            expiresAt !== null && h("span", null, `expires ${until(expiresAt)}`),
          ],
          isRevoked: false,
        })),
    make: (label) => sessionsApi.createToken(label, scopes.value || undefined),
    revoke: sessionsApi.endSession,
    guide: (token) => guide(project.id, token),
  });
}

/**
 * Draws the instructions for using a token.
 *
 * @param {string} projectId
 * @param {string} token
 */
function guide(projectId, token) {
  return h(
    "div",
    { class: "guide" },
    h("p", null, "A token may do what you may do, or less. It goes into a header:"),
    copyable(
      `curl -H 'Authorization: Bearer ${token}' \\\n` +
        `  '${BASE}api/v1/projects/${projectId}/issues?status=unresolved'`,
    ),
    h(
      "p",
      null,
      "All operations: ",
      h("a", { href: `${BASE}api/openapi.json`, target: "_blank" }, "the API as OpenAPI"),
    ),
  );
}
