/**
 * The view of alerts, and of the rules that fire them.
 *
 * @module
 */
import { h } from "../dom.js";
import { statusBadge } from "../parts/badges.js";
import { button, field, select } from "../parts/controls.js";
import { confirm } from "../parts/dialog.js";
import { empty, panel, tabs } from "../parts/panel.js";
import { toast } from "../parts/toast.js";
import { attempt, load } from "../parts/work.js";
import { go, href, withQuery } from "../router.js";
import * as alertsApi from "../server/alerts.js";
import { ago, count, plural } from "../time.js";

/** @import { Context } from "../app.js" */
/** @import * as model from "../model.js" */

/**
 * Draws the view of alerts, with one tab for alerts and one for rules.
 *
 * @param {Context} context
 * @returns {HTMLElement}
 */
export function alertsView(context) {
  const rules = context.place.parts[1] === "rules";
  return h(
    "div",
    { class: "view" },
    h("header", { class: "view-head" }, h("h1", null, "Alerts")),
    tabs("Alerts", [
      { text: "Fired", href: "#/alerts", current: !rules },
      { text: "Rules", href: "#/alerts/rules", current: rules },
    ]),
    rules ? rulesPart(context) : firedPart(context),
  );
}

/** Draws the alerts that were fired. @param {Context} context */
function firedPart({ app, place, project, signal }) {
  const status = place.query.get("status") ?? "";
  const body = h("div", { class: "panel flush" });
  /** The alerts that are shown. @type {model.Alert[]} */
  let shown = [];
  const resolveAll = button("Resolve all", { icon: "check", onclick: () => all() });
  resolveAll.hidden = true;

  /** Resolves the alerts that were shown. Alerts that fire during the confirmation stay active. */
  async function all() {
    const open = shown.filter((alert) => alert.status !== "resolved");
    const until = Math.max(...open.map(({ at }) => at ?? 0));
    const isWhole = shown.length < alertsApi.ALERTS_MAX;
    const title = isWhole ? `Resolve ${plural(open.length, "alert")}?` : "Resolve all alerts?";
    const words = isWhole ? "" : "Older ones too, which are not shown. ";
    if (!await confirm(title, `${words}A resolved alert stays resolved.`, "Resolve")) return;
    await attempt(resolveAll, async () => {
      const done = await alertsApi.resolveAlerts(project.id, { status, until });
      toast(`${plural(done, "alert")} resolved`);
    });
    if (signal.aborted) return;
    await refresh(true);
    // Moves the focus to the next control, because the button is hidden now.
    if (resolveAll.hidden) choose.focus();
  }
  const refresh = (quiet = false) =>
    load(
      body,
      signal,
      () => alertsApi.alerts(project.id, { status }, signal),
      ({ rows }) => {
        shown = rows;
        resolveAll.hidden = rows.every((alert) => alert.status === "resolved");
        return rows.length === 0
          ? empty(
            status === "" ? "No alert has fired" : "No such alerts",
            "Rules decide when one does.",
            button("Rules", { onclick: () => go("#/alerts/rules") }),
          )
          : h("ul", { class: "rows" }, rows.map(row));
      },
      { quiet },
    );

  /** Draws one alert. @param {model.Alert} alert */
  function row(alert) {
    const act = (/** @type {"acknowledge" | "resolve"} */ action, /** @type {string} */ text) => {
      const control = button(text, {
        kind: "small",
        onclick: async () => {
          if (await attempt(control, () => alertsApi.actOnAlert(alert.id, action))) refresh(true);
        },
      });
      return control;
    };
    return h(
      "li",
      { class: "row alert" },
      statusBadge(alert.status),
      h(
        "div",
        { class: "row-main" },
        alert.issueId === null ? h("span", { class: "row-title" }, alert.message) : h(
          "a",
          { class: "row-title", href: href(["issues", alert.issueId]), data: { row: "" } },
          alert.message,
        ),
        h(
          "div",
          { class: "row-sub" },
          h("span", null, alert.ruleName),
          alert.suppressed > 0 && h(
            "span",
            { class: "mini", title: "The rule was met again while its cooldown lasted" },
            `${alert.suppressed} more suppressed`,
          ),
        ),
      ),
      h("span", { class: "row-when" }, ago(alert.at)),
      h(
        "span",
        { class: "row-buttons" },
        alert.status === "active" && act("acknowledge", "Acknowledge"),
        alert.status !== "resolved" && act("resolve", "Resolve"),
      ),
    );
  }
  app.onLive(signal, (message) => {
    if (message.type === "alert") refresh(true);
  });
  refresh();
  const choose = select(
    [["", "Any state"], ["active", "Active"], ["acknowledged", "Acknowledged"], [
      "resolved",
      "Resolved",
    ]],
    status,
    {
      id: "alert-status",
      "aria-label": "State",
      onchange: () => go(withQuery(place, { status: choose.value })),
    },
  );
  return h(
    "div",
    { class: "stacked" },
    h("div", { class: "filters" }, choose, h("span", { class: "spring" }), resolveAll),
    body,
  );
}

/** Draws the rules, with a form for a new one. @param {Context} context */
function rulesPart({ app, project, signal }) {
  const mayManage = app.organisation?.role !== "member";
  const body = h("div", { class: "panel flush" });
  const refresh = (quiet = false) =>
    load(
      body,
      signal,
      () => alertsApi.rules(project.id, signal),
      (rules) =>
        rules.length === 0
          ? empty(
            "No rules yet",
            "A rule notifies this page, or another program, when something happens.",
          )
          : h("ul", { class: "rows" }, rules.map(row)),
      { quiet },
    );

  /** Draws one rule. @param {model.AlertRule} rule */
  function row(rule) {
    const toggle = h("input", {
      type: "checkbox",
      disabled: !mayManage,
      role: "switch",
      class: "switch",
      "aria-label": `${rule.name} is on`,
      onchange: async () => {
        if (!await attempt(null, () => alertsApi.toggleRule(rule.id, toggle.checked))) {
          toggle.checked = !toggle.checked;
        }
      },
    });
    toggle.checked = rule.enabled;
    const remove = button("Delete", {
      kind: "small quiet",
      onclick: async () => {
        const words = "The rule is deleted, and the alerts that it fired.";
        if (!await confirm(`Delete “${rule.name}”?`, words, "Delete")) return;
        if (await attempt(remove, () => alertsApi.deleteRule(rule.id))) refresh(true);
      },
    });
    const test = button("Test", {
      kind: "small",
      onclick: () =>
        attempt(test, async () => {
          const problem = await alertsApi.testRule(rule.id);
          toast(problem === null ? "The test was delivered" : `Not delivered: ${problem}`);
        }),
    });
    return h(
      "li",
      { class: "row rule" },
      toggle,
      h(
        "div",
        { class: "row-main" },
        h("span", { class: "row-title" }, rule.name),
        h(
          "div",
          { class: "row-sub" },
          h("span", null, conditionWords(rule)),
          h(
            "span",
            null,
            rule.cooldownMinutes === 0
              ? "every time"
              : `at most every ${rule.cooldownMinutes} min for one issue`,
          ),
          rule.channel !== "websocket" && h(
            "span",
            { class: "mini", title: rule.webhook ?? rule.to.join(", ") },
            channelWords(rule),
          ),
        ),
      ),
      h("span", { class: "row-when" }, "fired ", ago(rule.lastFiredAt)),
      mayManage && h("span", { class: "row-buttons" }, test, remove),
    );
  }
  refresh();
  return mayManage ? h("div", { class: "columns-2" }, body, panel("New rule", {}, form())) : body;

  function form() {
    const name = h("input", { required: true, maxlength: 100, placeholder: "Too many errors" });
    const kind = select(
      [["threshold", "More events than"], ["new_issue", "A new issue"], [
        "regression",
        "A resolved issue comes back",
      ], ["spike", "An ignored issue spikes"]],
      "threshold",
      { onchange: () => more.hidden = kind.value !== "threshold" },
    );
    const threshold = numberBox(100, 1, 1_000_000_000);
    const windowBox = numberBox(5, 1, 10_080);
    const cooldown = numberBox(60, 0, 43_200);
    const url = h("input", { type: "url", placeholder: "https://…", required: true });
    const to = h("input", { placeholder: "ada@example.org, bob@example.org", required: true });
    const urlField = field("Address of the webhook", url);
    const toField = field("To", to, "Addresses of mail, separated by commas.");
    const channel = select(
      [["websocket", "This page only"], ["email", "Email"], ["slack", "Slack"], [
        "discord",
        "Discord",
      ], ["webhook", "Another program (webhook)"]],
      "websocket",
      { onchange: () => choose() },
    );
    const choose = () => {
      const isPost = !["websocket", "email"].includes(channel.value);
      urlField.hidden = url.disabled = !isPost;
      toField.hidden = to.disabled = channel.value !== "email";
    };
    choose();
    const more = h(
      "div",
      { class: "field-row" },
      field("Events", threshold),
      field("in minutes", windowBox),
    );
    const make = h("button", { class: "button primary" }, "Add the rule");
    const element = h(
      "form",
      {
        class: "form",
        onsubmit: async (/** @type {Event} */ event) => {
          event.preventDefault();
          const done = await attempt(make, () =>
            alertsApi.createRule(project.id, {
              name: name.value.trim(),
              condition: kind.value === "threshold"
                ? {
                  condition_type: "threshold",
                  threshold: threshold.valueAsNumber,
                  window_minutes: windowBox.valueAsNumber,
                }
                : { condition_type: kind.value },
              action: channel.value === "websocket"
                ? { type: "websocket" }
                : channel.value === "email"
                ? { type: "email", to: to.value }
                : { type: channel.value, url: url.value },
              cooldown_minutes: cooldown.valueAsNumber,
            }));
          if (!done) return;
          toast("The rule is on");
          element.reset();
          more.hidden = false;
          choose();
          refresh(true);
        },
      },
      field("Name", name),
      field("Fires on", kind),
      more,
      field("Not again for the same issue for, in minutes", cooldown),
      field("Notify by", channel),
      urlField,
      toField,
      h("div", { class: "form-foot" }, make),
    );
    return element;
  }
}

/**
 * Creates an input for a number.
 *
 * @param {number} value
 * @param {number} min
 * @param {number} max
 */
function numberBox(value, min, max) {
  // The default value is set, so that a reset of the form restores it.
  const box = h("input", { type: "number", required: true, min, max });
  box.defaultValue = String(value);
  return box;
}

/** Returns a text about the condition of a rule. @param {model.AlertRule} rule */
function conditionWords({ kind, threshold, windowMinutes }) {
  switch (kind) {
    case "threshold":
      return `more than ${count(threshold ?? 0)} events in ${windowMinutes ?? 0} min`;
    case "new_issue":
      return "a new issue";
    case "regression":
      return "a resolved issue comes back";
    case "spike":
      return "an ignored issue spikes";
    default:
      return kind;
  }
}

/** Returns a text about the channel and the receivers of a rule. @param {model.AlertRule} rule */
function channelWords({ channel, webhook, to }) {
  switch (channel) {
    case "email":
      return `mail to ${to.length === 1 ? to[0] : plural(to.length, "address", "addresses")}`;
    case "slack":
      return "Slack";
    case "discord":
      return "Discord";
    default:
      return `tells ${URL.parse(webhook ?? "")?.host || webhook}`;
  }
}
