/**
 * Formats dates and numbers for people: relative, with the exact time on hover.
 *
 * @module
 */
import { h } from "./dom.js";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Interval at which the relative times on the page are updated, in milliseconds. */
const REFRESH_MS = 10_000;

const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayAndYear = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  year: "numeric",
});
const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/**
 * Returns how long ago a time was, in few characters.
 *
 * @param {number} at
 * @param {number} [now]
 * @returns {string}
 */
export function relative(at, now = Date.now()) {
  const age = now - at;
  if (age < 5 * SECOND) return "just now";
  if (age < MINUTE) return `${Math.floor(age / SECOND)} s ago`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h ago`;
  if (age < 14 * DAY) return `${Math.floor(age / DAY)} d ago`;
  const date = new Date(at);
  return date.getFullYear() === new Date(now).getFullYear()
    ? day.format(date)
    : dayAndYear.format(date);
}

/**
 * Returns how far in the future a time is.
 *
 * @param {number} at
 * @param {number} [now]
 * @returns {string}
 */
export function until(at, now = Date.now()) {
  const left = at - now;
  if (left < DAY) return left < HOUR ? "within an hour" : `in ${Math.floor(left / HOUR)} h`;
  return left < 60 * DAY ? `in ${Math.floor(left / DAY)} d` : dayAndYear.format(new Date(at));
}

/**
 * Returns the exact time, in the local time zone and in UTC.
 *
 * @param {number} at
 * @returns {string}
 */
export function exact(at) {
  const date = new Date(at);
  return `${dayAndYear.format(date)}, ${clock.format(date)} · ${date.toISOString()}`;
}

/**
 * Returns hours, minutes and seconds.
 *
 * @param {number} at
 * @returns {string}
 */
export function clockTime(at) {
  return clock.format(new Date(at));
}

/**
 * Creates an element that shows how long ago a time was, and updates it.
 *
 * @param {number | null} at
 * @returns {HTMLElement}
 */
export function ago(at) {
  if (at === null) return h("span", { class: "dim" }, "never");
  const date = new Date(at);
  return h(
    "time",
    { datetime: date.toISOString(), title: exact(at), data: { ago: at } },
    relative(at),
  );
}

/** Updates every element that `ago` has created, while the page is open. */
export function keepTimesFresh() {
  setInterval(() => {
    if (document.hidden) return;
    const now = Date.now();
    for (const element of document.querySelectorAll("time[data-ago]")) {
      const text = relative(Number(element.getAttribute("data-ago")), now);
      if (element.textContent !== text) element.textContent = text;
    }
  }, REFRESH_MS);
}

/**
 * Formats a count. It is exact below ten thousand, and rounded above.
 *
 * @param {number} n
 * @returns {string}
 */
export function count(n) {
  return n < 10_000 ? whole.format(n) : short.format(n);
}

/**
 * Returns a count with its noun in the singular or the plural.
 *
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 * @returns {string}
 */
export function plural(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/**
 * Formats a number of bytes.
 *
 * @param {number} n
 * @returns {string}
 */
export function bytes(n) {
  if (n < 1_000) return `${n} B`;
  if (n < 1_000_000) return `${(n / 1_000).toFixed(1)} kB`;
  if (n < 1_000_000_000) return `${(n / 1_000_000).toFixed(1)} MB`;
  return `${(n / 1_000_000_000).toFixed(1)} GB`;
}

/**
 * Formats a duration, with the two largest units if it is an hour or more.
 *
 * @param {number} ms
 * @returns {string}
 */
export function duration(ms) {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${Math.floor(ms % HOUR / MINUTE)} min`;
  return `${Math.floor(ms / DAY)} d ${Math.floor(ms % DAY / HOUR)} h`;
}
