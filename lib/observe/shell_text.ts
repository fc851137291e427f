/**
 * Formats values of the shell as text: tables, trees, lists of fields. Deterministic.
 *
 * @module
 */
import { describe } from "../actor/describe.ts";
import { Pid, Ref } from "../term/pid.ts";

/** Maximum width of a column, in characters. */
const COLUMN_CHARS_MAX = 60;

/** Returns a text with the escape sequences of a style. */
export type Paint = (style: "head" | "bad" | "dim", text: string) => string;

/** A {@linkcode Paint} that returns the text unchanged. */
export const PLAIN: Paint = (_style, text) => text;

/** A {@linkcode Paint} for terminals: ANSI escape sequences. */
export const ANSI: Paint = (style, text) => {
  const code = style === "head" ? 1 : style === "bad" ? 31 : 2;
  return `\x1b[${code}m${text}\x1b[0m`;
};

/** Formats a value as lines of text. */
export function shellText(value: unknown, paint: Paint = PLAIN): string {
  if (value === undefined) return "";
  if (Array.isArray(value)) {
    if (value.length === 0) return paint("dim", "none");
    if (value.every(isTree)) return value.flatMap((tree) => treeLines(tree, paint)).join("\n");
    if (value.every(isRecord)) return table(value, paint);
    return value.map((each) => shown(each)).join("\n");
  }
  if (isRecord(value)) return fields(value, paint);
  return typeof value === "string" ? value : shown(value);
}

/** Formats a value as JSON, with pids as text. */
export function shellJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, each) =>
      each instanceof Pid || each instanceof Ref
        ? `${each}`
        : typeof each === "bigint"
        ? `${each}`
        : each,
  ) ?? "null";
}

interface Tree extends Record<string, unknown> {
  readonly id: string;
  readonly state: string;
  readonly restarts: number;
  readonly children: readonly Tree[] | undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !(value instanceof Pid) &&
    !(value instanceof Ref);
}

function isTree(value: unknown): value is Tree {
  return isRecord(value) && "restarts" in value && "children" in value;
}

function treeLines(tree: Tree, paint: Paint, first = "", rest = ""): string[] {
  const { id, pid, state, restarts, mailbox, type, children = [], isCut } = tree;
  const where = pid === undefined || `${pid}` === id ? "" : ` ${paint("dim", `${pid}`)}`;
  const notes = [
    ...type === "supervisor" ? ["supervisor"] : [],
    ...state === "running" ? [] : [paint("bad", state)],
    ...restarts > 0 ? [paint("bad", `${restarts} restarts`)] : [],
    ...Number(mailbox) > 0 ? [`${mailbox} messages`] : [],
    ...isCut ? ["more not shown"] : [],
  ];
  const lines = [`${first}${id}${where}${notes.length > 0 ? ` ${notes.join(", ")}` : ""}`];
  for (const [index, child] of children.entries()) {
    const last = index === children.length - 1;
    lines.push(
      ...treeLines(
        child,
        paint,
        `${rest}${last ? "└─ " : "├─ "}`,
        `${rest}${last ? "   " : "│  "}`,
      ),
    );
  }
  return lines;
}

function table(rows: readonly Record<string, unknown>[], paint: Paint): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  // The last column is not shortened.
  const cells = rows.map((row) =>
    names.map((name, at) =>
      at === names.length - 1 ? shown(row[name]) : shown(row[name]).slice(0, COLUMN_CHARS_MAX)
    )
  );
  const widths = names.map((name, at) =>
    Math.max(name.length, ...cells.map((row) => row[at]!.length))
  );
  const line = (row: readonly string[]): string =>
    row.map((text, at) => text.padEnd(widths[at]!)).join("  ").trimEnd();
  return [paint("head", line(names)), ...cells.map(line)].join("\n");
}

function fields(value: Record<string, unknown>, paint: Paint): string {
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries.map(([name, each]) => `${paint("head", name.padEnd(width))}  ${shown(each)}`)
    .join("\n");
}

function shown(value: unknown): string {
  if (value === undefined) return "";
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) {
    return value.join(" ");
  }
  if (Array.isArray(value) && value.every((each) => each instanceof Pid)) return value.join(" ");
  return describe(value).replaceAll(/\s*\n\s*/g, " ⏎ ");
}
