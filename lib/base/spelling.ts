/**
 * Names that somebody typed, against those that there are. Quiet.
 *
 * Types find a wrong name before the program runs, where somebody asks them: `deno run` does not, and
 * Bun never does. Without a word an option that is none would hold nothing, and an event that is none
 * would never come.
 *
 * @module
 */

/** One letter may be wrong, and one more for each so many that a name has. */
const LETTERS_A_MISTAKE = 6;

/** A beginning of so many letters is enough. */
const BEGINNING_LENGTH_MIN = 3;

/** Longer ones are not compared. */
const COMPARED_LENGTH_MAX = 64;

/** Throws what `fail` makes of the words, if `options` is no object or has a name that is not `known`. */
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

/** Says that there is no such name, and which was meant. */
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

/** The name that was meant, if one is near. */
function nearest(name: string, names: readonly string[]): string | undefined {
  if (name.length > COMPARED_LENGTH_MAX) return undefined;
  const lower = name.toLowerCase();
  if (lower.length >= BEGINNING_LENGTH_MIN) {
    const begun = names.find((each) => each.toLowerCase().startsWith(lower));
    if (begun !== undefined) return begun;
  }
  let best: string | undefined;
  let least = 1 + Math.floor(name.length / LETTERS_A_MISTAKE);
  for (const each of names) {
    const count = distance(lower, each.toLowerCase());
    if (count > least || (count === least && best !== undefined)) continue;
    best = each;
    least = count;
  }
  return best;
}

/** How many letters must be put in, taken out, changed, or swapped with the next. */
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
