/**
 * The members of the organisation and their roles.
 *
 * @module
 */
import { h } from "../dom.js";
import { avatar } from "../parts/badges.js";
import { button, field, select } from "../parts/controls.js";
import { confirm } from "../parts/dialog.js";
import { panel } from "../parts/panel.js";
import { toast } from "../parts/toast.js";
import { attempt, load } from "../parts/work.js";
import * as peopleApi from "../server/people.js";
import { ago } from "../time.js";

/** @import { Context } from "../app.js" */
/** @import * as model from "../model.js" */

/** @type {[string, string][]} */
const ROLES = [["member", "Member"], ["admin", "Admin"], ["owner", "Owner"]];

/** @param {Context} context @returns {HTMLElement} */
export function memberSettings({ app, signal }) {
  const orgId = app.organisation?.id ?? "";
  const mayManage = app.organisation?.role !== "member";
  const list = h("div");
  const refresh = (quiet = false) => {
    app.forgetMembers();
    return load(
      list,
      signal,
      () => app.members(),
      (members) => h("ul", { class: "rows" }, members.map(row)),
      { quiet },
    );
  };

  /** @param {model.Member} member */
  function row(member) {
    const role = select(ROLES, member.role, {
      "aria-label": `Role of ${member.name}`,
      class: "small",
      disabled: !mayManage,
      onchange: async () => {
        await attempt(null, () => peopleApi.setRole(orgId, member.id, role.value));
        refresh(true);
      },
    });
    const remove = button("Remove", {
      kind: "small quiet",
      disabled: !mayManage,
      onclick: async () => {
        const words = "They no longer see anything of this organisation.";
        if (!await confirm(`Remove ${member.name}?`, words, "Remove")) return;
        if (await attempt(remove, () => peopleApi.removeMember(orgId, member.id))) refresh(true);
      },
    });
    return h(
      "li",
      { class: "row member" },
      avatar(member.name),
      h(
        "div",
        { class: "row-main" },
        h("span", { class: "row-title" }, member.name),
        h("div", { class: "row-sub" }, h("span", null, member.email)),
      ),
      h("span", { class: "row-when" }, "joined ", ago(member.joinedAt)),
      h("span", { class: "row-buttons" }, role, remove),
    );
  }

  const email = h("input", { type: "email", required: true, maxlength: 254 });
  const name = h("input", { maxlength: 200 });
  const password = h("input", {
    type: "password",
    required: true,
    maxlength: 256,
    autocomplete: "new-password",
  });
  const role = select(ROLES.slice(0, 2), "member", {});
  const add = h("button", { class: "button primary", disabled: !mayManage }, "Add");
  const form = h(
    "form",
    {
      class: "form",
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        const done = await attempt(add, () =>
          peopleApi.createUser(orgId, {
            email: email.value.trim(),
            display_name: name.value.trim(),
            password: password.value,
            role: role.value,
          }));
        if (!done) return;
        form.reset();
        toast("Added. Tell them the password.");
        refresh(true);
      },
    },
    field("E-mail", email),
    field("Name", name),
    field("First password", password, "They can change it under Account."),
    field("Role", role),
    h("div", { class: "form-foot" }, add),
  );
  refresh();
  return h(
    "div",
    { class: "columns-2" },
    panel(`Members of ${app.organisation?.name ?? ""}`, { class: "flush" }, list),
    panel("Somebody new", {}, form),
  );
}
