/**
 * The user's tokens, with which programs use the API. With instructions.
 *
 * @module
 */
import { BASE } from "../base.js";
import { h } from "../dom.js";
import { copyable } from "../parts/controls.js";
import { secretsView } from "../parts/secrets.js";
import * as sessionsApi from "../server/sessions.js";
import { ago, until } from "../time.js";

/** @import { Context } from "../app.js" */

/** @param {Context} context @returns {HTMLElement} */
export function tokenSettings({ project, signal }) {
  return secretsView({
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
        .map(({ id, label, createdAt, expiresAt }) => ({
          id,
          label,
          details: [
            h("span", null, "made ", ago(createdAt)),
            expiresAt !== null && h("span", null, `expires ${until(expiresAt)}`),
          ],
          isRevoked: false,
        })),
    make: sessionsApi.createToken,
    revoke: sessionsApi.endSession,
    guide: (token) => guide(project.id, token),
  });
}

/**
 * @param {string} projectId
 * @param {string} token
 */
function guide(projectId, token) {
  return h(
    "div",
    { class: "guide" },
    h("p", null, "A token may do what you may do. It goes into a header:"),
    copyable(
      `curl -H 'Authorization: Bearer ${token}' \\\n` +
        `  '${BASE}api/v1/projects/${projectId}/issues?status=unresolved'`,
    ),
    h(
      "p",
      null,
      "What can be asked: ",
      h("a", { href: `${BASE}api/openapi.json`, target: "_blank" }, "the API as OpenAPI"),
    ),
  );
}
