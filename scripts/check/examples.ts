/**
 * Finds the examples in documentation.
 *
 * @module
 */

/** A program in a comment or a page. */
export interface Example {
  readonly path: string;
  /** The line number at which the program begins. */
  readonly line: number;
  readonly code: string;
}

/**
 * Returns the blocks of TypeScript in the comments of a module, or in a page, except those that are
 * marked `ignore`.
 */
export function examplesOf(path: string, text: string): Example[] {
  const parts = path.endsWith(".md")
    ? [{ text, at: 0 }]
    : [...text.matchAll(/\/\*\*[^]*?\*\//g)].map((found) => ({
      text: found[0].replace(/^ *\* ?/gm, ""),
      at: found.index,
    }));
  return parts.flatMap((part) =>
    [...part.text.matchAll(/^```(?:ts|js|typescript|javascript)\b([^\n]*)\n([^]*?)^```/gm)]
      .filter(([, attributes]) => !/\bignore\b/.test(attributes!))
      .map((found) => ({
        path,
        line: lines(text.slice(0, part.at)) + lines(part.text.slice(0, found.index)) + 2,
        code: found[2]!,
      }))
  );
}

/** Counts line breaks. */
function lines(text: string): number {
  return text.split("\n").length - 1;
}
