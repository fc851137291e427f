/**
 * The entry point of the page: signs in, draws the frame, and shows the view of each place.
 *
 * @module
 */
import { BASE } from "./base.js";
import { App } from "./app.js";
import { fill, h } from "./dom.js";
import { showHelp } from "./help.js";
import { Keys, moveRow } from "./keys.js";
import { button } from "./parts/controls.js";
import { empty } from "./parts/panel.js";
import { toast, undoLast } from "./parts/toast.js";
import { failure, wordsFor } from "./parts/work.js";
import { go, href, placeFrom } from "./router.js";
import * as peopleApi from "./server/people.js";
import { ApiError, session } from "./server/request.js";
import { PLACES, placesOf, shell } from "./shell.js";
import { keepTimesFresh } from "./time.js";
import { alertsView } from "./views/alerts.js";
import { clusterView } from "./views/cluster.js";
import { dashboardView } from "./views/dashboard.js";
import { eventView } from "./views/event.js";
import { forgotView, invitationView, resetView } from "./views/invitation.js";
import { issueView } from "./views/issue.js";
import { issuesView } from "./views/issues.js";
import { liveView } from "./views/live.js";
import { loginView } from "./views/login.js";
import { searchView } from "./views/search.js";
import { settingsView } from "./views/settings.js";
import { welcomeView } from "./views/welcome.js";

/** @import { Context } from "./app.js" */
/** A function that draws a view. @typedef {(context: Context) => HTMLElement} View */

/** The views by the first part of the path. @type {Record<string, View>} */
const VIEWS = {
  "": dashboardView,
  issues: (context) => context.place.parts.length > 1 ? issueView(context) : issuesView(context),
  events: eventView,
  search: searchView,
  live: liveView,
  alerts: alertsView,
  settings: settingsView,
  cluster: clusterView,
};

const keys = new Keys();
const rootElement = document.getElementById("app");
if (rootElement === null) throw new Error("there is no #app in the page");
const root = rootElement;

/** Aborts the current content when it is replaced: the sign-in page or the whole app. */
let stage = new AbortController();

async function begin() {
  stage.abort();
  stage = new AbortController();
  const { signal } = stage;
  const [view, secret] = placeFrom().parts;
  const linkView = view === "invitation"
    ? invitationView
    : view === "reset"
    ? resetView
    : undefined;
  if (linkView !== undefined && secret !== undefined) {
    document.title = "Mesher";
    return fill(root, linkView(secret, enter));
  }
  let app;
  try {
    app = new App(await peopleApi.me());
    await app.start();
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError && error.status === 401) return showLogin();
    return fill(root, h("main", { class: "alone" }, failure(wordsFor(error), begin)));
  }
  if (signal.aborted) return app.stop();
  run(app, signal);
}

/**
 * Called when the link of an invitation or a password reset was used. Starts the page again,
 * without the secret in the history.
 */
function enter() {
  history.replaceState(null, "", BASE);
  begin();
}

function showLogin() {
  stage.abort();
  stage = new AbortController();
  document.title = "Sign in · Mesher";
  fill(root, loginView(begin, "", (email) => fill(root, forgotView(email, showLogin))));
}

/** Handles a link that is opened while the page is open. */
addEventListener("hashchange", () => {
  if (/^#\/(?:invitation|reset)\//.test(location.hash)) begin();
});

/**
 * Shows the app until the signal aborts, and redraws the view when the place changes.
 *
 * @param {App} app
 * @param {AbortSignal} signal
 */
function run(app, signal) {
  const help = () => showHelp(placesOf(app));
  const frame = shell(app, { changed: show, help });
  let view = new AbortController();
  let first = true;

  function show() {
    view.abort();
    view = new AbortController();
    const place = placeFrom();
    const name = place.parts[0] ?? "";
    // The focus is restored after a view is redrawn.
    const focused = document.activeElement?.id;
    frame.current(name === "events" ? "issues" : name);
    scrollTo(0, 0);
    const title = (/** @type {string} */ text) => {
      document.title = `${text} · Mesher`;
    };
    title(PLACES.find(({ path }) => path === name)?.text ?? "Mesher");
    const { project } = app;
    if (project === null && name !== "cluster") {
      return fill(
        frame.main,
        welcomeView(app, () => {
          frame.redraw();
          show();
        }),
      );
    }
    const draw = Object.hasOwn(VIEWS, name) ? VIEWS[name] : undefined;
    const context = {
      app,
      place,
      signal: view.signal,
      project: /** @type {import("./model.js").Project} */ (project),
      title,
      keys: (/** @type {import("./keys.js").Bindings} */ bindings) =>
        keys.bind(bindings, view.signal),
    };
    fill(frame.main, draw === undefined ? nowhere() : draw(context));
    frame.main.dataset.place = location.hash;
    const again = focused ? document.getElementById(focused) : null;
    if (again !== null) again.focus();
    else if (!first) frame.main.focus({ preventScroll: true });
    first = false;
  }

  keys.bind({
    "?": help,
    "/": () => {
      const box = document.querySelector("[data-search]");
      if (box instanceof HTMLInputElement) box.select();
      else go("#/search");
    },
    z: undoLast,
    j: () => moveRow(frame.main, 1),
    k: () => moveRow(frame.main, -1),
    ...Object.fromEntries(
      placesOf(app).map(({ key, path }) => [`g ${key}`, () => go(href(path === "" ? [] : [path]))]),
    ),
  }, signal);
  addEventListener("hashchange", show, { signal });
  app.addEventListener("refreshed", () => frame.redraw(), { signal });
  app.onLive(signal, (message) => {
    if (message.type !== "alert") return;
    toast(`${message.rule_name ?? "Alert"}: ${message.message ?? ""}`, {
      kind: "alert",
      href: "#/alerts",
    });
  });
  signal.addEventListener("abort", () => {
    view.abort();
    app.stop();
  });
  fill(root, frame.root);
  show();
}

function nowhere() {
  return h(
    "div",
    { class: "view" },
    empty(
      "There is nothing here",
      "The address names no page of Mesher.",
      button("To the dashboard", { onclick: () => go("#/") }),
    ),
  );
}

session.addEventListener("signedout", () => {
  if (!root.querySelector(".login")) showLogin();
});
if (location.search === "?in") {
  peopleApi.comeFromOtherNode();
  history.replaceState(null, "", `${BASE}${location.hash}`);
}
keepTimesFresh();
begin();
