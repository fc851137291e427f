/**
 * The view before the first project exists: how to create it.
 *
 * @module
 */
import { h } from "../dom.js";
import { field } from "../parts/controls.js";
import { attempt } from "../parts/work.js";
import { go } from "../router.js";
import * as peopleApi from "../server/people.js";
import * as projectsApi from "../server/projects.js";

/** @import { App } from "../app.js" */

/**
 * Draws a form that creates a project and, if there is none, an organisation.
 *
 * @param {App} app
 * @param {() => void} done
 * @returns {HTMLElement}
 */
export function welcomeView(app, done) {
  const organisation = h("input", { required: true, maxlength: 100, placeholder: "Our team" });
  const name = h("input", { required: true, maxlength: 100, placeholder: "Shop" });
  const make = h("button", { class: "button primary" }, "Make the project");
  return h(
    "div",
    { class: "view narrow" },
    h("h1", null, "Welcome to Mesher"),
    h(
      "p",
      { class: "lead" },
      "A project gathers the errors of one program. Make one, give its key to your program, and " +
        "what goes wrong there appears here.",
    ),
    h(
      "form",
      {
        class: "panel form",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          attempt(make, async () => {
            if (app.organisation === null) {
              const made = await peopleApi.createOrganisation(organisation.value.trim());
              app.organisations = [...app.organisations, { ...made, role: "owner" }];
              await app.enter(made);
            }
            const orgId = app.organisation?.id ?? "";
            await projectsApi.createProject(orgId, name.value.trim());
            await app.refresh();
            go("#/settings/keys");
            done();
          });
        },
      },
      app.organisation === null && field("Organisation", organisation),
      field("Project", name),
      h("div", { class: "form-foot" }, make),
    ),
  );
}
