/**
 * A project's keys, with which programs send events. With instructions.
 *
 * @module
 */
import { h } from "../dom.js";
import { copyable } from "../parts/controls.js";
import { secretsView } from "../parts/secrets.js";
import * as projectsApi from "../server/projects.js";
import { ago } from "../time.js";

/** @import { Context } from "../app.js" */

/** @param {Context} context @returns {HTMLElement} */
export function keySettings({ app, project, signal }) {
  return secretsView({
    kind: "key",
    title: "Keys",
    none: "A program needs one to send events.",
    label: "Label",
    example: "production",
    warning: "Programs that send with it are refused from now on.",
    use: "Sending events",
    mayMake: app.organisation?.role !== "member",
    signal,
    list: async () =>
      (await projectsApi.keys(project.id, signal)).map((key) => ({
        id: key.id,
        label: key.label,
        details: [
          h("code", null, `${key.prefix}…`),
          h("span", null, "made ", ago(key.createdAt)),
        ],
        isRevoked: key.revokedAt !== null,
      })),
    make: (label) => projectsApi.createKey(project.id, label),
    revoke: projectsApi.revokeKey,
    guide,
  });
}

/** @param {string} key */
function guide(key) {
  const { protocol, host, origin } = location;
  // SDKs require a number there; the key identifies the project.
  const dsn = `${protocol}//${key}@${host}/1`;
  return h(
    "div",
    { class: "guide" },
    h("p", null, "Any Sentry SDK, with this as its DSN:"),
    copyable(dsn),
    h("p", null, "Or plain HTTP:"),
    copyable(
      `curl ${origin}/api/v1/events -H 'x-api-key: ${key}' \\\n` +
        `  -d '{"message":"Hello from curl","level":"error"}'`,
    ),
  );
}
