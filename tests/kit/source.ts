/**
 * A TypeScript file in the form that the architecture rules check: its imports, and its code
 * without comments. A scanner, not a parser, recognises comments, strings, templates and regular
 * expressions, and replaces them by blanks, so that lines keep their numbers.
 */

/** An import or re-export, types included. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** A source file. */
export interface Source {
  /** The path from the project's root, with `/`. */
  readonly path: string;
  readonly imports: readonly Import[];
  /** The code without comments. */
  readonly code: string;
  /** The code without comments and string contents. */
  readonly bare: string;
}

/** Matches code after which a slash starts a regular expression, not a division. */
const BEFORE_REGEX = /(^|[=(,:[!&|?{};+>]|\breturn|\bcase|\btypeof)\s*$/;

/**
 * Matches one token: a comment, a string, a regular expression, or code up to the next of these.
 */
const TOKEN =
  /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(?<tick>`)|(?<slash>\/)|(?<brace>[{}])|(?<code>[^"'`/{}]+)/y;

/** Matches the rest of a template, up to its end or to an embedded expression. */
const TEMPLATE = /((?:\\[\s\S]|\$(?!\{)|[^\\`$])*)(`|\$\{)/y;
const REGEX = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/\w*/y;

/** Reads one file. */
export function sourceOf(path: string, text: string): Source {
  let code = "";
  let bare = "";
  let at = 0;
  const keep = (piece: string, visible = true): void => {
    at += piece.length;
    code += piece;
    bare += visible ? piece : blank(piece);
  };
  /** The number of open braces in each enclosing template. */
  const templates: number[] = [];
  const template = (): void => {
    const [, words = "", end = ""] = match(TEMPLATE, text, at) ?? [];
    keep(words, false);
    keep(end);
    if (end === "${") templates.push(0);
  };
  while (at < text.length) {
    const found = match(TOKEN, text, at)!;
    const { comment, text: string, tick, slash, brace } = found.groups!;
    const token = found[0];
    if (comment !== undefined) {
      at += comment.length;
      code += blank(comment);
      bare += blank(comment);
    } else if (string !== undefined) keep(string, false);
    else if (tick !== undefined) {
      keep(tick);
      template();
    } else if (slash !== undefined) {
      const regex = BEFORE_REGEX.test(bare.slice(-40)) ? match(REGEX, text, at)?.[0] : undefined;
      keep(regex ?? token, regex === undefined);
    } else if (brace === undefined) keep(token);
    else if (brace === "}" && templates.at(-1) === 0) {
      templates.pop();
      keep(brace);
      template();
    } else {
      if (templates.length > 0) templates[templates.length - 1]! += brace === "{" ? 1 : -1;
      keep(brace);
    }
  }
  return { path, imports: importsOf(code), code, bare };
}

/** Returns the line number of the character at `index`, from 1. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

function importsOf(code: string): Import[] {
  const statement =
    /^\s*(?:import|export)\b[^;"'`=]*?\bfrom\s*["']([^"'\n]+)["']|^\s*import\s*["']([^"'\n]+)["']|\bimport\s*\(\s*["']([^"'\n]+)["']/gm;
  return [...code.matchAll(statement)].map((found) => ({
    specifier: found[1] ?? found[2] ?? found[3]!,
    line: lineAt(code, found.index + found[0].length),
  }));
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}
