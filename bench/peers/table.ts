/**
 * A table in Markdown.
 *
 * @module
 */

/** Returns the lines of a table. The first columns are text, the others are numbers. */
export function draw(
  head: readonly string[],
  lines: readonly (readonly string[])[],
  texts: number = 2,
): string {
  const widths = head.map((_, i) => Math.max(...[head, ...lines].map((line) => line[i]!.length)));
  const drawn = (line: readonly string[]): string =>
    `| ${
      line.map((text, i) => i < texts ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)).join(
        " | ",
      )
    } |\n`;
  const rule = widths.map((width, i) =>
    i < texts ? "-".repeat(width) : `${"-".repeat(width - 1)}:`
  );
  return drawn(head) + drawn(rule) + lines.map(drawn).join("");
}
