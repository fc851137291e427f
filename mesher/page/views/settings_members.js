/**
 * The settings for the members of the organisation and their roles.
 *
 * @module
 */
import { fill, h } from "../dom.js";
import { avatar } from "../parts/badges.js";
import { button, copyable, field, select } from "../parts/controls.js";
import { confirm } from "../parts/dialog.js";
import { panel } from "../parts/panel.js";
import { toast } from "../parts/toast.js";
import { attempt, load } from "../parts/work.js";
import * as peopleApi from "../server/people.js";
import { ago, until } from "../time.js";

/** @import { Context } from "../app.js" */
/** @import * as model from "../model.js" */

/** The roles that a user can choose from. @type {[string, string][]} */
const ROLES = [["member", "Member"], ["admin", "Admin"], ["owner", "Owner"]];

/**
 * Draws the members and the invitations of the organisation.
 *
 * @param {Context} context
 * @returns {HTMLElement}
 */
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

  /** Draws one member. @param {model.Member} member */
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

  const pending = h("div");
  const refreshPending = (quiet = false) =>
    load(
      pending,
      signal,
      () => peopleApi.invitations(orgId, signal),
      (all) =>
        all.length === 0
          ? h("p", { class: "hint padded" }, "No invitations are pending.")
          : h("ul", { class: "rows" }, all.map(invitationRow)),
      { quiet, bones: 1 },
    );

  /** Draws one invitation that was not accepted yet. @param {model.Invitation} invitation */
  function invitationRow({ id, email, role, expiresAt }) {
    const withdraw = button("Withdraw", {
      kind: "small quiet",
      "aria-label": `Withdraw the invitation of ${email}`,
      onclick: async () => {
        if (await attempt(withdraw, () => peopleApi.withdrawInvitation(orgId, id))) {
          refreshPending(true);
        }
      },
    });
    return h(
      "li",
      { class: "row invitation" },
      h(
        "div",
        { class: "row-main" },
        h("span", { class: "row-title" }, email),
        h(
          "div",
          { class: "row-sub" },
          h("span", null, role),
          expiresAt !== null && h("span", null, `expires ${until(expiresAt)}`),
        ),
      ),
      h("span", { class: "row-buttons" }, withdraw),
    );
  }

  const email = h("input", { type: "email", required: true, maxlength: 254 });
  const role = select(ROLES.slice(0, app.organisation?.role === "owner" ? 3 : 2), "member", {});
  const invite = h("button", { class: "button primary", disabled: !mayManage }, "Invite");
  const link = h("div", { "aria-live": "polite" });
  const form = h(
    "form",
    {
      class: "form",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        attempt(invite, async () => {
          const address = email.value.trim();
          const made = await peopleApi.invite(orgId, { email: address, role: role.value });
          form.reset();
          const isSent = made.mail === "sent" || made.mail === "sending";
          if (isSent) toast(`An invitation was sent to ${address}`);
          fill(
            link,
            h(
              "div",
              { class: "once" },
              h("strong", null, isSent ? `Sent to ${address}.` : "Pass this link on."),
              h(
                "p",
                { class: "hint" },
                made.mail === "failed"
                  ? "The mail could not be sent. The link holds for a week, and works once."
                  : "The link holds for a week, and works once.",
              ),
              copyable(made.link),
            ),
          );
          refreshPending(true);
        });
      },
    },
    field("E-mail", email),
    field("Role", role),
    h("div", { class: "form-foot" }, invite),
  );
  if (mayManage) refreshPending();
  refresh();
  return h(
    "div",
    { class: "columns-2" },
    panel(`Members of ${app.organisation?.name ?? ""}`, { class: "flush" }, list),
    h(
      "div",
      { class: "stacked" },
      panel("Invite somebody", {}, form, link),
      mayManage && panel("Invited", { class: "flush" }, pending),
    ),
  );
}
