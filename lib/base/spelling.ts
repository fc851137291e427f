/**
 * Compares names that a program passes with the known names, and suggests corrections.
 * Deterministic.
 *
 * Type checking finds a wrong name before the program runs, but neither `deno run` nor Bun checks
 * types. Without this check, an unknown option would have no effect and an unknown event would
 * never occur.
 *
 * @module
 */

/**
 * Number of letters for each additional edit: a name may differ from a known name by one edit, plus
 * one for each group of this many letters.
 */
const LETTERS_PER_EDIT = 6;

/** Minimum length of a name that also matches a known name as its prefix. */
const BEGINNING_LENGTH_MIN = 3;

/** Names longer than this are not compared. */
const COMPARED_LENGTH_MAX = 64;

/** Throws `fail(message)` if `options` is not an object or has a name that is not in `known`. */
export function checkNames(
  options: unknown,
  known: Readonly<Record<string, true>>,
  fail: (words: string) => Error,
): void {
  if (typeof options !== "object" || options === null) {
    throw fail(`options are an object such as { ${Object.keys(known)[0]}: … }, not ${options}`);
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(known, name)) throw fail(unknownName("option", name, known));
  }
}

/** Returns a message that the name does not exist, with a similar known name if there is one. */
export function unknownName(
  what: string,
  name: string,
  known: Readonly<Record<string, true>>,
): string {
  const names = Object.keys(known);
  const near = nearest(name, names);
  const shown = JSON.stringify(name.slice(0, COMPARED_LENGTH_MAX));
  const help = near === undefined ? `there are ${names.join(", ")}` : `did you mean ${near}?`;
  return `there is no ${what} ${shown}: ${help}`;
}

/** Returns the most similar known name, if it is similar enough. */
function nearest(name: string, names: readonly string[]): string | undefined {
  if (name.length > COMPARED_LENGTH_MAX) return undefined;
  const lower = name.toLowerCase();
  if (lower.length >= BEGINNING_LENGTH_MIN) {
    const begun = names.find((each) => each.toLowerCase().startsWith(lower));
    if (begun !== undefined) return begun;
  }
  let best: string | undefined;
  let least = 1 + Math.floor(name.length / LETTERS_PER_EDIT);
  for (const each of names) {
    const count = distance(lower, each.toLowerCase());
    if (count > least || (count === least && best !== undefined)) continue;
    best = each;
    least = count;
  }
  return best;
}

/**
 * Returns the minimum number of edits that change one name into another. An edit inserts, deletes
 * or changes a letter, or swaps two neighbouring letters.
 */
function distance(from: string, to: string): number {
  const width = to.length + 1;
  const cells = new Uint16Array((from.length + 1) * width);
  for (let row = 0; row <= from.length; row++) {
    for (let column = 0; column < width; column++) {
      const at = row * width + column;
      if (row === 0 || column === 0) {
        cells[at] = row + column;
        continue;
      }
      const same = from[row - 1] === to[column - 1];
      let least = Math.min(
        cells[at - width]! + 1,
        cells[at - 1]! + 1,
        cells[at - width - 1]! + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] &&
        from[row - 2] === to[column - 1];
      if (swapped) least = Math.min(least, cells[at - 2 * width - 2]! + 1);
      cells[at] = least;
    }
  }
  return cells[cells.length - 1]!;
}
