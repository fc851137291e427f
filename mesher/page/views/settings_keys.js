/**
 * The settings for a project's keys, with which programs send events; and instructions.
 *
 * @module
 */
import { h } from "../dom.js";
import { secretsView } from "../parts/secrets.js";
import * as projectsApi from "../server/projects.js";
import { ago } from "../time.js";
import { setupGuide } from "./setup.js";

/** @import { Context } from "../app.js" */

/** Draws the keys of the project. @param {Context} context @returns {HTMLElement} */
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
        secret: key.secret,
      })),
    make: (label) => projectsApi.createKey(project.id, label),
    revoke: projectsApi.revokeKey,
    guide: (key) => setupGuide(app, key),
  });
}
