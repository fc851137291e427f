/**
 * The icons, drawn with lines in a square of 20 units.
 *
 * @module
 */
import { s } from "./dom.js";

const PATHS = {
  dashboard: "M3 3h6v8H3zM11 3h6v5h-6zM11 10h6v7h-6zM3 13h6v4H3z",
  issues: "M10 3 18 17H2zM10 8.5v4M10 14.6v.1",
  search: "M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12zM13.5 13.5 17 17",
  live: "M2 10h3.5l2.5-6 4 12 2.5-6H18",
  alerts: "M5 8a5 5 0 0 1 10 0c0 5 2 6 2 6H3s2-1 2-6M8.3 17h3.4",
  settings: "M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4",
  cluster: "M10 2.5v4M10 6.5 4 13.5M10 6.5l6 7M4 13.5h12M10 2.5h.1M4 17h.1M16 17h.1",
  menu: "M3 6h14M3 10h14M3 14h14",
  close: "M5 5l10 10M15 5 5 15",
  check: "M4 10.5 8 14.5 16 6",
  ignore: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM5.2 5.2l9.6 9.6",
  back: "M16 10H4M9 5l-5 5 5 5",
  next: "M4 10h12M11 5l5 5-5 5",
  down: "M5 8l5 5 5-5",
  undo: "M4 8h8a4 4 0 0 1 0 8H8M4 8l4-4M4 8l4 4",
  person: "M10 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 17c.5-3.2 2.8-5 6-5s5.5 1.8 6 5",
  trash: "M4 6h12M8 6V3.500h4V6M5.5 6l.8 11h7.400l.8-11",
  sun:
    "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M4 16l1.4-1.4M14.6 5.4 16 4",
  moon: "M16.5 12A7 7 0 0 1 8 3.500a7 7 0 1 0 8.5 8.500z",
  auto: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  out: "M8 3H4v14h4M8 10h9M13 6l4 4-4 4",
  copy: "M7 7h10v10H7zM13 7V3H3v10h4",
  plus: "M10 4v12M4 10h12",
  merge: "M5 3v4c0 4 5 3 5 7v3M15 3v4c0 4-5 3-5 7",
  pause: "M7 4v12M13 4v12",
  play: "M6 4l10 6-10 6z",
};

/** The name of an icon. @typedef {keyof typeof PATHS} IconName */

/**
 * Draws an icon.
 *
 * @param {IconName} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  return s(
    "svg",
    { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true", focusable: "false" },
    s("path", { d: PATHS[name] }),
  );
}
