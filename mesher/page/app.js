/**
 * The state of the app: the user, the organisation, the project, and the project's live stream.
 * Each view receives it, with the current place and a signal that is aborted when the view ends.
 *
 * @module
 */
import { safeHref } from "./dom.js";
import { LiveStream } from "./live.js";
import * as peopleApi from "./server/people.js";
import * as projectsApi from "./server/projects.js";

/** @import * as model from "./model.js" */
/** @import { Place } from "./router.js" */
/** @import { Keys, Bindings } from "./keys.js" */
/** @import { Message, LiveState } from "./live.js" */

/**
 * The arguments of a view.
 *
 * @typedef {{
 *   app: App, place: Place, signal: AbortSignal,
 *   keys: (bindings: Bindings) => void,
 *   title: (text: string) => void,
 *   project: model.Project,
 * }} Context
 */

/** Time over which live events are counted, in milliseconds. */
const RATE_MS = 60_000;

/**
 * The state of the app. Emits `live` for each message of the project's stream, and `state` when the
 * state of the stream changes.
 */
export class App extends EventTarget {
  /** The current user. @type {model.User} */
  user;
  /** The user's organisations. @type {model.Organisation[]} */
  organisations;
  /** The selected organisation. @type {model.Organisation | null} */
  organisation = null;
  /** The projects of the organisation. @type {model.Project[]} */
  projects = [];
  /** The selected project. @type {model.Project | null} */
  project = null;
  /** Number of events that have arrived since the page was opened. */
  seen = 0;
  /**
   * Names and addresses of the other nodes, which are shown if this node does not answer.
   *
   * @type {[string, string][]}
   */
  others = [];
  /**
   * The time since which the node has not answered; null while it answers. @type {number | null}
   */
  lostAt = null;
  /** Times at which the latest events arrived, for the rate of events. @type {number[]} */
  #arrivals = [];
  /** The project's live stream. @type {LiveStream | null} */
  #live = null;
  /** The members of each organisation, by its id. @type {Map<string, Promise<model.Member[]>>} */
  #members = new Map();

  /**
   * The URL to which programs send events. Null if it is the URL of the page. @type {string | null}
   */
  publicUrl;
  /** Whether the server can send mail. */
  sendsMail;

  /**
   * Creates the state for the user that the server has returned.
   *
   * @param {{
   *   user: model.User, organisations: model.Organisation[],
   *   publicUrl: string | null, sendsMail: boolean,
   * }} me
   */
  constructor({ user, organisations, publicUrl, sendsMail }) {
    super();
    this.publicUrl = publicUrl;
    this.sendsMail = sendsMail;
    this.user = user;
    this.organisations = organisations;
  }

  /** The state of the project's live stream. @returns {LiveState} */
  get liveState() {
    return this.#live?.state ?? "closed";
  }

  /** Number of events of the last minute. */
  get perMinute() {
    const since = Date.now() - RATE_MS;
    const first = this.#arrivals.findIndex((at) => at >= since);
    this.#arrivals = first === -1 ? [] : this.#arrivals.slice(first);
    return this.#arrivals.length;
  }

  /** Selects the last used organisation and project, or the first ones. */
  async start() {
    const orgId = localStorage.getItem("mesher.organisation");
    const organisation = this.organisations.find(({ id }) => id === orgId) ??
      this.organisations[0] ?? null;
    await this.enter(organisation);
    peopleApi.me().then(({ nodes }) => this.meet(nodes), () => {});
  }

  /**
   * Selects an organisation, and loads its projects.
   *
   * @param {model.Organisation | null} organisation
   */
  async enter(organisation) {
    this.organisation = organisation;
    if (organisation !== null) localStorage.setItem("mesher.organisation", organisation.id);
    await this.refresh();
  }

  /** Reloads the list of projects. */
  async refresh() {
    this.projects = this.organisation === null
      ? []
      : await projectsApi.projects(this.organisation.id);
    const projectId = this.project?.id ?? localStorage.getItem("mesher.project");
    this.look(this.projects.find(({ id }) => id === projectId) ?? this.projects[0] ?? null);
  }

  /** Selects a project, and opens its live stream. @param {model.Project | null} project */
  look(project) {
    const same = project?.id === this.project?.id;
    this.project = project;
    if (project !== null) localStorage.setItem("mesher.project", project.id);
    if (same && this.#live !== null) return;
    this.#live?.close();
    this.#live = null;
    this.lostAt = null;
    this.seen = 0;
    this.#arrivals = [];
    if (project === null) return;
    this.#live = new LiveStream({
      projectId: project.id,
      onMessage: (message) => this.#hear(message),
      onState: (state) => this.#moved(state),
      // If the user is no longer signed in, this request leads to the sign-in page.
      onRefused: () => void peopleApi.me().catch(() => {}),
    });
  }

  /**
   * Returns the members of the organisation; loaded once.
   *
   * @returns {Promise<model.Member[]>}
   */
  members() {
    const orgId = this.organisation?.id;
    if (orgId === undefined) return Promise.resolve([]);
    let members = this.#members.get(orgId);
    if (members === undefined) {
      members = peopleApi.members(orgId);
      members.catch(() => this.#members.delete(orgId));
      this.#members.set(orgId, members);
    }
    return members;
  }

  /** Removes the loaded members of all organisations, because some members have changed. */
  forgetMembers() {
    this.#members.clear();
  }

  /** Tries to reconnect to the node immediately. */
  retry() {
    this.#live?.retry();
  }

  /** Stores the URLs of the page on other nodes. @param {readonly model.OtherNode[]} nodes */
  meet(nodes) {
    this.others = nodes.flatMap(({ name, url }) => {
      const address = safeHref(url);
      return address === undefined ? [] : [[name, address]];
    });
  }

  /** Closes the project's live stream permanently. */
  stop() {
    this.#live?.close();
    this.#live = null;
  }

  /** Handles a change of the live stream's state. @param {LiveState} state */
  #moved(state) {
    const wasLost = this.lostAt !== null;
    if (state === "open") this.lostAt = null;
    if (state === "waiting") this.lostAt ??= Date.now();
    this.dispatchEvent(new Event("state"));
    // Messages that were sent while the stream was disconnected are lost, so views load their data
    // again.
    if (wasLost && this.lostAt === null) this.#hear({ type: "reconnected" });
  }

  /**
   * Handles a message of the live stream: counts events, and emits `live`.
   *
   * @param {Message} message
   */
  #hear(message) {
    if (message.type === "event") {
      this.seen++;
      this.#arrivals.push(Date.now());
    }
    this.dispatchEvent(new CustomEvent("live", { detail: message }));
  }

  /**
   * Calls the listener for each message of the live stream until the signal aborts.
   *
   * @param {AbortSignal} signal
   * @param {(message: Message) => void} listener
   */
  onLive(signal, listener) {
    this.addEventListener("live", (event) => {
      listener(/** @type {CustomEvent<Message>} */ (event).detail);
    }, { signal });
  }
}
