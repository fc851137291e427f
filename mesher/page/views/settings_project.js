/**
 * The settings of a project: name, retention, sampling, storage and deletion; and a form for new
 * projects.
 *
 * @module
 */
import { h } from "../dom.js";
import { button, field } from "../parts/controls.js";
import { confirm } from "../parts/dialog.js";
import { pair, panel } from "../parts/panel.js";
import { toast } from "../parts/toast.js";
import { attempt, load } from "../parts/work.js";
import { go } from "../router.js";
import * as projectsApi from "../server/projects.js";
import { ago, bytes, count } from "../time.js";

/** @import { Context } from "../app.js" */

/** Draws the settings of the project. @param {Context} context @returns {HTMLElement} */
export function projectSettings({ app, project, signal }) {
  const settings = h("div");
  const usage = h("div");
  const mayManage = app.organisation?.role !== "member";

  load(settings, signal, () => projectsApi.settings(project.id, signal), (now) => {
    const name = h("input", { required: true, maxlength: 200, value: now.name });
    const platform = h("input", {
      maxlength: 64,
      placeholder: "deno, node, python …",
      value: now.platform ?? "",
    });
    const days = h("input", {
      type: "number",
      min: 1,
      max: 3650,
      required: true,
      value: now.retentionDays,
    });
    const rate = h("input", {
      type: "number",
      min: 0,
      max: 100,
      step: "any",
      required: true,
      value: Number((now.sampleRate * 100).toFixed(4)),
    });
    const scrub = h("input", { type: "checkbox", checked: now.scrub.enabled });
    const fields = namesInput(now.scrub.fields, "customer_number, iban");
    const safe = namesInput(now.scrub.safe, "csrf_token");
    const save = h("button", { class: "button primary", disabled: !mayManage }, "Save");
    return h(
      "form",
      {
        class: "form",
        onsubmit: async (/** @type {Event} */ event) => {
          event.preventDefault();
          const done = await attempt(save, async () => {
            await projectsApi.changeSettings(project.id, {
              name: name.value.trim(),
              platform: platform.value.trim() || null,
              retention_days: days.valueAsNumber,
              sample_rate: rate.valueAsNumber / 100,
              scrub: {
                enabled: scrub.checked,
                fields: namesIn(fields.value),
                safe: namesIn(safe.value),
              },
            });
            await app.refresh();
          });
          if (!done) return;
          app.dispatchEvent(new Event("refreshed"));
          toast("Saved");
        },
      },
      field("Name", name),
      field("Platform", platform),
      field("Keep events for, in days", days, "Older events are deleted; counts of issues stay."),
      field("Keep this share of events, in percent", rate, "The others are accepted and dropped."),
      h("label", { class: "check" }, scrub, "Remove secrets before events are stored"),
      field(
        "Remove these too",
        fields,
        "Names, separated by commas. Passwords, tokens, keys, card numbers and environment " +
          "variables are removed by default.",
      ),
      field("Keep these", safe, "Names that look like secrets, but are not."),
      h("div", { class: "form-foot" }, save),
    );
  });
  load(usage, signal, () => projectsApi.usage(project.id, signal), (now) =>
    h(
      "dl",
      { class: "pairs" },
      pair("Events stored", count(now.events)),
      pair("Size, estimated", bytes(now.bytes)),
      pair("Oldest event", now.oldestAt === null ? "none" : ago(now.oldestAt)),
      pair("Project id", h("code", null, project.id)),
    ));

  const newName = h("input", { required: true, maxlength: 100, placeholder: "Shop" });
  const make = h("button", { class: "button", disabled: !mayManage }, "Make the project");
  const remove = button("Delete this project", {
    kind: "danger",
    disabled: !mayManage,
    onclick: async () => {
      const words = "All its issues, events, keys and rules are deleted for good.";
      if (!await confirm(`Delete “${project.name}”?`, words, "Delete")) return;
      const done = await attempt(remove, async () => {
        await projectsApi.deleteProject(project.id);
        await app.refresh();
      });
      if (!done) return;
      app.dispatchEvent(new Event("refreshed"));
      go("#/");
    },
  });
  return h(
    "div",
    { class: "columns-2" },
    panel("This project", {}, settings),
    h(
      "div",
      { class: "stacked" },
      panel("Storage", {}, usage),
      panel(
        "Another project",
        {},
        h(
          "form",
          {
            class: "form",
            onsubmit: async (/** @type {Event} */ event) => {
              event.preventDefault();
              const done = await attempt(make, async () => {
                const orgId = app.organisation?.id ?? "";
                const made = await projectsApi.createProject(orgId, newName.value.trim());
                await app.refresh();
                app.look(app.projects.find(({ id }) => id === made.id) ?? app.project);
              });
              if (!done) return;
              app.dispatchEvent(new Event("refreshed"));
              go("#/settings/keys");
            },
          },
          field("Name", newName),
          h("div", { class: "form-foot" }, make),
        ),
      ),
      panel(
        "Delete this project",
        {},
        h(
          "div",
          { class: "form" },
          h("p", { class: "hint" }, "A project is deleted with all its issues and events."),
          h("div", { class: "form-foot" }, remove),
        ),
      ),
    ),
  );
}

/**
 * Creates an input for a comma-separated list of names.
 *
 * @param {readonly string[]} names
 * @param {string} placeholder
 */
function namesInput(names, placeholder) {
  return h("input", { maxlength: 2_000, placeholder, value: names.join(", ") });
}

/**
 * Returns the names in a comma-separated text.
 *
 * @param {string} text
 * @returns {string[]}
 */
function namesIn(text) {
  return text.split(",").map((name) => name.trim()).filter((name) => name !== "");
}
