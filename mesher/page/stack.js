/**
 * Stack traces: the innermost frame first, the application's own frames open, and those of
 * libraries collapsed.
 *
 * @module
 */
import { h } from "./dom.js";
import { objectTable } from "./json.js";
import { button } from "./parts/controls.js";

/** @import * as model from "./model.js" */

/**
 * Draws the chain of exceptions. The exception that was finally thrown is drawn first.
 *
 * @param {readonly model.Exception[]} exceptions
 */
export function stack(exceptions) {
  return h(
    "div",
    { class: "stack" },
    exceptions.toReversed().map((exception, i) => exceptionPart(exception, i)),
  );
}

/**
 * Draws one exception. `depth` is its position in the chain, 0 for the exception that was finally
 * thrown.
 *
 * @param {model.Exception} exception
 * @param {number} depth
 */
function exceptionPart(exception, depth) {
  const frames = exception.frames.toReversed();
  const anyOwn = frames.some(({ inApp }) => inApp === true);
  const foreign = frames.filter(({ inApp }) => anyOwn && inApp !== true).length;
  const list = h(
    "ol",
    { class: "frames" },
    frames.map((frame, i) => framePart(frame, anyOwn, depth === 0 && isOpen(frames, i, anyOwn))),
  );
  const toggle = foreign > 0 && foreign < frames.length
    ? button(`Show ${foreign} library ${foreign === 1 ? "line" : "lines"}`, {
      kind: "quiet small",
      "aria-expanded": "false",
      onclick: () => {
        const all = list.classList.toggle("all");
        if (!toggle) return;
        toggle.setAttribute("aria-expanded", String(all));
        toggle.textContent = `${all ? "Hide" : "Show"} ${foreign} library ${
          foreign === 1 ? "line" : "lines"
        }`;
      },
    })
    : false;
  if (!toggle) list.classList.add("all");
  return h(
    "section",
    { class: "exception" },
    depth > 0 && h("p", { class: "cause" }, "Caused by"),
    h(
      "header",
      null,
      h(
        "div",
        { class: "exception-words" },
        h("h3", null, exception.type || "Error"),
        exception.value && h("p", null, exception.value),
      ),
      exception.handled === false && h("span", { class: "status active" }, "Unhandled"),
      toggle,
    ),
    frames.length > 0 ? list : h("p", { class: "dim" }, "It came without a stack."),
  );
}

/**
 * Returns whether frame `i` is shown open at first. This is the first frame with source code, among
 * the application's own frames if there are any.
 *
 * @param {readonly model.Frame[]} frames
 * @param {number} i
 * @param {boolean} anyOwn
 */
function isOpen(frames, i, anyOwn) {
  return i ===
    frames.findIndex((frame) => frame.context !== null && (!anyOwn || frame.inApp === true));
}

/**
 * Draws one frame, which can be opened if it has details.
 *
 * @param {model.Frame} frame
 * @param {boolean} anyOwn
 * @param {boolean} open
 */
function framePart(frame, anyOwn, open) {
  const place = [placeOf(frame), frame.line, frame.column]
    .filter((part) => part !== null).join(":");
  const head = [
    h("span", { class: "frame-function" }, frame.function ?? "anonymous"),
    h("span", { class: "frame-place", title: place }, h("bdi", null, place)),
  ];
  const own = !anyOwn || frame.inApp === true;
  const className = `frame ${own ? "own" : "foreign"}`;
  const variables = Object.keys(frame.vars).length === 0 ? null : h(
    "div",
    { class: "frame-vars" },
    h("h4", null, "Variables"),
    objectTable(frame.vars),
  );
  if (frame.context === null && variables === null && frame.minified === null) {
    return h("li", { class: className }, h("div", { class: "frame-head" }, head));
  }
  return h(
    "li",
    { class: className },
    h(
      "details",
      { open },
      h("summary", { class: "frame-head" }, head),
      frame.context !== null && source(frame),
      variables,
      frame.minified && h("p", { class: "frame-minified dim" }, "Minified: ", frame.minified),
    ),
  );
}

/**
 * Returns the location of a frame: the file, or for Java and similar languages the class and its
 * jar.
 *
 * @param {model.Frame} frame
 */
function placeOf({ file, module, package: jar }) {
  const isClass = module !== null && /\.\w/.test(module) &&
    /\.(?:java|kt|scala|cs)$/.test(file ?? "");
  const place = isClass ? `${module} (${file})` : file ?? module ?? jar ?? "unknown";
  return jar === null || place === jar ? place : `${place} [${jar.replace(/^.*[/\\]/, "")}]`;
}

/** Draws the source lines of a frame. @param {model.Frame} frame */
function source(frame) {
  const first = frame.line === null ? null : frame.line - frame.before.length;
  const lines = [...frame.before, frame.context ?? "", ...frame.after];
  return h(
    "pre",
    { class: "source", tabindex: 0 },
    lines.map((text, i) =>
      h(
        "span",
        { class: i === frame.before.length ? "line thrown" : "line" },
        h("i", null, first === null ? "" : String(first + i)),
        h("code", null, text === "" ? " " : text),
      )
    ),
  );
}
