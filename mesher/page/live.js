/**
 * The live stream of one project: a WebSocket that reconnects at growing intervals.
 *
 * @module
 */
import { streamUrl } from "./server/projects.js";
import { objectOf } from "./server/values.js";

/**
 * The state of a live stream. "waiting": it pauses before it reconnects.
 *
 * @typedef {"connecting" | "open" | "waiting" | "closed"} LiveState
 */
/**
 * The filters of a stream, by level and environment. An absent filter matches all events.
 *
 * @typedef {{ level?: string, environment?: string }} Filters
 */
/** A message of a live stream. @typedef {Record<string, unknown>} Message */

/** The first pause before a reconnection, doubled after each failure, in milliseconds. */
const WAIT_MS = 1_000;
/** The longest pause before a reconnection, in milliseconds. */
const WAIT_MS_MAX = 10_000;
/** The WebSocket close code that the server sends if the session or the project does not exist. */
const REFUSED = 1008;

/** The live stream of a project. Emits `message` and `state`. */
export class LiveStream {
  #projectId;
  /** The filters of the stream. @type {Filters} */
  #filters;
  #onMessage;
  #onState;
  #onRefused;
  /** The state of the stream. @type {LiveState} */
  #state = "connecting";
  /** The current WebSocket. @type {WebSocket | undefined} */
  #socket;
  /** The timer of the next connection. @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #tries = 0;

  /**
   * Opens the stream. `onRefused` is called when the server rejects the session or the project.
   *
   * @param {{
   *   projectId: string, filters?: Filters,
   *   onMessage: (message: Message) => void, onState?: (state: LiveState) => void,
   *   onRefused?: () => void,
   * }} options
   */
  constructor({ projectId, filters = {}, onMessage, onState = () => {}, onRefused = () => {} }) {
    this.#projectId = projectId;
    this.#filters = filters;
    this.#onMessage = onMessage;
    this.#onState = onState;
    this.#onRefused = onRefused;
    this.#open();
  }

  /** The state of the connection. @returns {LiveState} */
  get state() {
    return this.#state;
  }

  /** Changes the filters, also on the server. @param {Filters} filters */
  setFilters(filters) {
    this.#filters = filters;
    this.#subscribe();
  }

  /** Reconnects immediately instead of waiting. */
  retry() {
    if (this.#state !== "waiting") return;
    clearTimeout(this.#timer);
    this.#tries = 0;
    this.#open();
  }

  /** Closes the stream permanently. */
  close() {
    this.#move("closed");
    clearTimeout(this.#timer);
    // Browsers log an error if a socket is closed while it connects. Such a socket is closed when
    // it has opened.
    if (this.#socket?.readyState !== WebSocket.CONNECTING) this.#socket?.close();
  }

  #open() {
    this.#move("connecting");
    const socket = new WebSocket(streamUrl(this.#projectId));
    this.#socket = socket;
    socket.onopen = () => {
      if (this.#state === "closed") return socket.close();
      this.#tries = 0;
      this.#subscribe();
      this.#move("open");
    };
    socket.onmessage = ({ data }) => {
      if (this.#state === "closed" || typeof data !== "string") return;
      const message = parse(data);
      if (message !== null) this.#onMessage(message);
    };
    socket.onclose = ({ code }) => {
      if (this.#state === "closed") return;
      if (code === REFUSED) this.#onRefused();
      this.#move("waiting");
      const wait = Math.min(WAIT_MS_MAX, WAIT_MS * 2 ** this.#tries++);
      this.#timer = setTimeout(() => this.#open(), wait * (1 + Math.random() / 10));
    };
  }

  #subscribe() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const { level, environment } = this.#filters;
    const filters = {
      ...(level ? { level } : {}),
      ...(environment ? { environment } : {}),
    };
    this.#socket.send(JSON.stringify({ type: "subscribe", filters }));
  }

  /**
   * Changes the state, unless the stream was closed, and reports the new state.
   *
   * @param {LiveState} state
   */
  #move(state) {
    if (this.#state === "closed") return;
    this.#state = state;
    this.#onState(state);
  }
}

/**
 * Parses a message. Returns null for invalid JSON.
 *
 * @param {string} data
 * @returns {Message | null}
 */
function parse(data) {
  try {
    return objectOf(JSON.parse(data));
  } catch {
    return null;
  }
}
