/**
 * The pieces that views are put together from.
 *
 * @module
 */
import { ApiError } from "./api.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";

/** @import { Child } from "./dom.js" */
/** @import { IconName } from "./icons.js" */
/** @import * as model from "./model.js" */

/** Toasts go by themselves after this time. */
const TOAST_MS = 5_000;
/** More are not shown at once: the oldest goes. */
const TOASTS_MAX = 4;

/**
 * @param {string} text
 * @param {{ kind?: "plain" | "bad" | "alert", href?: string }} [options]
 */
export function toast(text, { kind = "plain", href } = {}) {
  const box = document.getElementById("toasts");
  if (box === null) return;
  const close = h("button", { class: "icon-button", "aria-label": "Close" }, icon("close"));
  const body = href === undefined ? h("span", null, text) : h("a", { href }, text);
  const one = h("div", { class: `toast ${kind}` }, body, close);
  const gone = setTimeout(() => one.remove(), TOAST_MS);
  close.addEventListener("click", () => {
    clearTimeout(gone);
    one.remove();
  });
  box.append(one);
  while (box.children.length > TOASTS_MAX) box.firstElementChild?.remove();
}

/**
 * What went wrong, in words for a person.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function wordsFor(error) {
  if (error instanceof ApiError) {
    if (error.status === 403) return "You may not do that.";
    return error.message;
  }
  return error instanceof Error ? error.message : String(error);
}

/**
 * Does something with a button disabled, and says what went wrong.
 *
 * @param {HTMLButtonElement | null} button
 * @param {() => Promise<unknown>} work
 * @returns {Promise<boolean>} Whether it was done.
 */
export async function attempt(button, work) {
  if (button !== null) button.disabled = true;
  try {
    await work();
    return true;
  } catch (error) {
    toast(wordsFor(error), { kind: "bad" });
    return false;
  } finally {
    if (button !== null) button.disabled = false;
  }
}

/**
 * Loads into an element: first its bones, then what `render` makes of the value, or why not and a
 * button to try again.
 *
 * @template T
 * @param {HTMLElement} box
 * @param {AbortSignal} signal
 * @param {() => Promise<T>} fetchIt
 * @param {(value: T) => Child | Child[]} render
 * @param {{ bones?: number, quiet?: boolean }} [options] `quiet`: what was there stays meanwhile.
 */
export async function load(box, signal, fetchIt, render, { bones = 4, quiet = false } = {}) {
  if (!quiet) fill(box, skeleton(bones));
  box.setAttribute("aria-busy", "true");
  try {
    const value = await fetchIt();
    if (signal.aborted) return;
    const made = render(value);
    fill(box, ...(Array.isArray(made) ? made : [made]));
  } catch (error) {
    if (signal.aborted) return;
    if (quiet && box.childElementCount > 0) toast(wordsFor(error), { kind: "bad" });
    else {
      const again = () => load(box, signal, fetchIt, render, { bones });
      fill(box, failure(wordsFor(error), again));
    }
  } finally {
    box.removeAttribute("aria-busy");
  }
}

/** @param {number} lines */
function skeleton(lines) {
  return h(
    "div",
    { class: "bones", role: "status", "aria-label": "Loading" },
    Array.from({ length: lines }, () => h("div", { class: "bone" })),
  );
}

/**
 * @param {string} words
 * @param {() => void} [again]
 */
export function failure(words, again) {
  return h(
    "div",
    { class: "empty", role: "alert" },
    h("strong", null, "This could not be loaded"),
    h("p", null, words),
    again && button("Try again", { onclick: again }),
  );
}

/**
 * @param {string} title
 * @param {Child} [words]
 * @param {...Child} more
 */
export function empty(title, words, ...more) {
  return h("div", { class: "empty" }, h("strong", null, title), words && h("p", null, words), more);
}

/**
 * @param {string} text
 * @param {Record<string, unknown> & { icon?: IconName, kind?: string }} [props]
 * @returns {HTMLButtonElement}
 */
export function button(text, { icon: name, kind = "", ...props } = {}) {
  return h(
    "button",
    { type: "button", ...props, class: `button ${kind}` },
    name && icon(name),
    h("span", null, text),
  );
}

/**
 * A button that is only an icon.
 *
 * @param {IconName} name
 * @param {string} label
 * @param {Record<string, unknown>} [props]
 * @returns {HTMLButtonElement}
 */
export function iconButton(name, label, props = {}) {
  return h(
    "button",
    { type: "button", class: "icon-button", "aria-label": label, title: label, ...props },
    icon(name),
  );
}

/** @param {model.Level} level */
export function levelBadge(level) {
  return h("span", { class: `level ${level}` }, level);
}

/** @param {string} status */
export function statusBadge(status) {
  return h("span", { class: `status ${status}` }, STATUS_WORDS[status] ?? status);
}

/** @type {Record<string, string>} */
export const STATUS_WORDS = {
  unresolved: "Unresolved",
  resolved: "Resolved",
  archived: "Ignored",
  discarded: "Discarded",
  active: "Active",
  acknowledged: "Acknowledged",
};

/** Levels to choose from. @type {[string, string][]} */
export const LEVEL_OPTIONS = [
  ["", "Any level"],
  ["fatal", "Fatal"],
  ["error", "Error"],
  ["warning", "Warning"],
  ["info", "Info"],
  ["debug", "Debug"],
];

/**
 * A person's initials in a circle.
 *
 * @param {string} name
 */
export function avatar(name) {
  const words = name.split(/[\s.@_-]+/).filter(Boolean);
  const initials = words.slice(0, 2).map((word) => word.charAt(0).toUpperCase()).join("");
  return h("span", { class: "avatar", title: name, "aria-hidden": "true" }, initials || "?");
}

/**
 * A titled box.
 *
 * @param {Child} title
 * @param {{ class?: string, tools?: Child, level?: 2 | 3 }} options
 * @param {...Child} body
 */
export function panel(title, { class: extra = "", tools, level = 2 }, ...body) {
  return h(
    "section",
    { class: `panel ${extra}` },
    h("header", { class: "panel-head" }, h(level === 2 ? "h2" : "h3", null, title), tools),
    body,
  );
}

/**
 * A labelled control.
 *
 * @param {string} label
 * @param {HTMLElement} control
 * @param {Child} [hint]
 */
export function field(label, control, hint) {
  return h(
    "label",
    { class: "field" },
    h("span", { class: "field-label" }, label),
    control,
    hint && h("span", { class: "hint" }, hint),
  );
}

/**
 * A select.
 *
 * @param {readonly (readonly [value: string, text: string])[]} options
 * @param {string} chosen
 * @param {Record<string, unknown>} props
 * @returns {HTMLSelectElement}
 */
export function select(options, chosen, props) {
  const element = h(
    "select",
    props,
    options.map(([value, text]) =>
      h("option", { "value": value, selected: value === chosen }, text)
    ),
  );
  element.value = chosen;
  return element;
}

/**
 * Links beside each other, one of them current.
 *
 * @param {string} label
 * @param {readonly { text: string, href: string, current: boolean, n?: number | null }[]} items
 */
export function tabs(label, items) {
  return h(
    "nav",
    { class: "tabs", "aria-label": label },
    items.map(({ text, href, current, n }) =>
      h(
        "a",
        { href, "aria-current": current ? "page" : undefined },
        text,
        n !== undefined && n !== null && h("span", { class: "n" }, n),
      )
    ),
  );
}

/**
 * Asks before something that cannot be taken back.
 *
 * @param {string} title
 * @param {string} words
 * @param {string} yes
 * @returns {Promise<boolean>}
 */
export function confirm(title, words, yes) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-label": title },
      h(
        "form",
        { method: "dialog" },
        h("h2", null, title),
        h("p", null, words),
        h(
          "div",
          { class: "dialog-foot" },
          h("button", { class: "button", value: "" }, "Cancel"),
          h("button", { class: "button danger", value: "yes" }, yes),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * A text that is worth copying, with a button that does.
 *
 * @param {string} text
 */
export function copyable(text) {
  const copy = iconButton("copy", "Copy", {
    onclick: async () => {
      await navigator.clipboard.writeText(text);
      toast("Copied");
    },
  });
  return h("div", { class: "copyable" }, h("code", null, text), copy);
}
