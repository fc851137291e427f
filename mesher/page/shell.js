/**
 * The frame around all views: navigation, project, user, and the light or dark theme.
 *
 * @module
 */
import { BASE } from "./base.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { avatar } from "./parts/badges.js";
import { button, iconButton, select } from "./parts/controls.js";
import { attempt } from "./parts/work.js";
import { go, href } from "./router.js";
import * as peopleApi from "./server/people.js";
import { session } from "./server/request.js";

/** @import { App } from "./app.js" */
/** @import { IconName } from "./icons.js" */

/**
 * The entries of the navigation: key, path, text and icon.
 *
 * @type {readonly { key: string, path: string, text: string, icon: IconName }[]}
 */
export const PLACES = [
  { key: "d", path: "", text: "Dashboard", icon: "dashboard" },
  { key: "i", path: "issues", text: "Issues", icon: "issues" },
  { key: "s", path: "search", text: "Search", icon: "search" },
  { key: "l", path: "live", text: "Live", icon: "live" },
  { key: "a", path: "alerts", text: "Alerts", icon: "alerts" },
  { key: "c", path: "cluster", text: "Cluster", icon: "cluster" },
  { key: "p", path: "settings", text: "Settings", icon: "settings" },
];

/** Returns the user's navigation entries; the cluster is only for operators. @param {App} app */
export function placesOf(app) {
  return PLACES.filter(({ path }) => path !== "cluster" || app.user.isOperator);
}

/** The texts of the states of the live stream. @type {Record<string, string>} */
const LIVE_WORDS = {
  open: "Live",
  connecting: "Connecting",
  waiting: "Reconnecting",
  closed: "Offline",
};

/**
 * Creates the frame, and the container for views.
 *
 * @param {App} app
 * @param {{ changed: () => void, help: () => void }} on `changed`: another project was chosen.
 */
export function shell(app, on) {
  const main = h("main", { id: "main", tabindex: "-1" });
  const links = placesOf(app).map(({ path, text, icon: name, key }) =>
    h(
      "a",
      { href: href(path === "" ? [] : [path]), title: `${text} (g ${key})`, data: { path } },
      icon(name),
      h("span", null, text),
    )
  );
  const switcher = h("div", { class: "switcher" });
  const live = h("span", { class: "live-state", role: "status" });
  const menu = iconButton("menu", "Menu", {
    class: "icon-button menu",
    "aria-expanded": "false",
    "aria-controls": "side",
  });
  const side = h(
    "div",
    { class: "side", id: "side" },
    h("a", { class: "brand", href: "#/" }, mark(), "Mesher"),
    switcher,
    h("nav", { class: "nav", "aria-label": "Mesher" }, links),
    h(
      "div",
      { class: "side-foot" },
      live,
      h(
        "div",
        { class: "who" },
        avatar(app.user.name),
        h("span", { class: "who-name", title: app.user.email }, app.user.name),
        themeButton(),
        iconButton("out", "Sign out", { onclick: signOut }),
      ),
    ),
  );
  const trouble = h("div", { class: "trouble", role: "alert", hidden: true });
  const veil = h("div", { class: "veil" });
  const root = h(
    "div",
    { class: "shell" },
    h("a", { class: "skip", href: "#main", onclick: skip }, "Skip to content"),
    h("div", { class: "top" }, menu, h("a", { class: "brand", href: "#/" }, mark(), "Mesher")),
    side,
    veil,
    h("div", { class: "middle" }, trouble, main),
  );

  /** Opens or closes the menu on a phone. @param {boolean} open */
  function setMenu(open) {
    root.classList.toggle("menu-open", open);
    menu.setAttribute("aria-expanded", String(open));
    if (open) links[0]?.focus();
  }
  /** Moves the focus from the link at the top of the page to the view. @param {Event} event */
  function skip(event) {
    event.preventDefault();
    main.focus();
  }
  async function signOut() {
    await attempt(null, () => peopleApi.logout());
    session.dispatchEvent(new Event("signedout"));
  }
  menu.addEventListener("click", () => setMenu(!root.classList.contains("menu-open")));
  veil.addEventListener("click", () => setMenu(false));
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !root.classList.contains("menu-open")) return;
    setMenu(false);
    menu.focus();
  });

  function drawSwitcher() {
    /** The options of the project selector. @type {[string, string][]} */
    const projects = app.projects.map(({ id, name }) => [id, name]);
    const project = select(projects, app.project?.id ?? "", {
      "aria-label": "Project",
      onchange: () => {
        app.look(app.projects.find(({ id }) => id === project.value) ?? null);
        on.changed();
      },
    });
    /** The options of the organisation selector. @type {[string, string][]} */
    const all = app.organisations.map(({ id, name }) => [id, name]);
    const organisation = select(all, app.organisation?.id ?? "", {
      "aria-label": "Organisation",
      onchange: async () => {
        const chosen = app.organisations.find(({ id }) => id === organisation.value) ?? null;
        await attempt(null, () => app.enter(chosen));
        drawSwitcher();
        go("#/");
        on.changed();
      },
    });
    fill(
      switcher,
      all.length > 1
        ? organisation
        : h("span", { class: "organisation" }, app.organisation?.name ?? ""),
      projects.length > 0 && project,
    );
  }
  function drawLive() {
    live.dataset.state = app.liveState;
    live.hidden = app.project === null;
    fill(live, h("i", { class: "dot" }), LIVE_WORDS[app.liveState] ?? "");
    const isLost = app.lostAt !== null;
    if (isLost === !trouble.hidden) return;
    trouble.hidden = !isLost;
    fill(trouble, ...(isLost ? troubleWords() : []));
  }
  function troubleWords() {
    return [
      h("strong", null, "This node does not answer."),
      h("span", null, "What you see may be old. It is tried again and again."),
      button("Try now", { kind: "small", onclick: () => app.retry() }),
      app.others.map(([name, url]) =>
        h("a", { class: "button small", href: `${url}/?in${location.hash}` }, shortName(name))
      ),
    ];
  }
  app.addEventListener("state", drawLive);
  drawSwitcher();
  drawLive();

  return {
    root,
    main,
    /** Closes the menu, and marks the link of the current view. @param {string} path */
    current(path) {
      setMenu(false);
      for (const link of links) {
        const here = link.dataset.path === path;
        if (here) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
    },
    redraw() {
      drawSwitcher();
      drawLive();
    },
  };
}

/**
 * Returns a node's name without its address.
 *
 * @param {string} name
 */
export function shortName(name) {
  return name.split("@")[0] ?? name;
}

/** Creates the logo, a letter on a square. */
export function mark() {
  return h("img", { class: "mark", src: `${BASE}favicon.svg`, alt: "", width: 22, height: 22 });
}

/** Creates the button that changes the theme: light, dark, or the system's. */
function themeButton() {
  /**
   * The themes, in the order in which the button selects them.
   *
   * @type {readonly { theme: string, icon: IconName, label: string }[]}
   */
  const steps = [
    { theme: "", icon: "auto", label: "Theme: as the system" },
    { theme: "light", icon: "sun", label: "Theme: light" },
    { theme: "dark", icon: "moon", label: "Theme: dark" },
  ];
  const root = document.documentElement;
  let at = Math.max(0, steps.findIndex(({ theme }) => theme === (root.dataset.theme ?? "")));
  const button = iconButton("auto", "Theme", {
    onclick: () => {
      at = (at + 1) % steps.length;
      draw();
    },
  });
  function draw() {
    const step = steps[at];
    if (step === undefined) return;
    if (step.theme === "") {
      delete root.dataset.theme;
      localStorage.removeItem("mesher.theme");
    } else {
      root.dataset.theme = step.theme;
      localStorage.setItem("mesher.theme", step.theme);
    }
    button.setAttribute("aria-label", step.label);
    button.title = step.label;
    fill(button, icon(step.icon));
  }
  draw();
  return button;
}
