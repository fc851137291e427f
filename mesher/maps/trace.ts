/**
 * Looks up places in a source map, with `@jridgewell/trace-mapping`.
 *
 * @module
 */
import { NAME_CHARS_MAX } from "../domain/limits.ts";
import { cut } from "../domain/trim.ts";

/** The functions of a parsed source map that Mesher uses. */
export interface ParsedMap {
  /** Returns the original place. Lines start at 1, columns at 0. */
  originalPlace(line: number, column: number): {
    readonly source: string | null;
    readonly line: number | null;
    readonly column: number | null;
    readonly name: string | null;
  };
  /** Returns the segments of a line: `[column, source, line, column, name]`. */
  segments(line: number): readonly (readonly number[])[];
  nameOf(index: number): string | null;
  contentOf(source: string): string | null;
}

/** A place in minified code. Lines and columns from 1. */
export interface MinifiedPlace {
  readonly function: string | null;
  readonly line: number;
  readonly column: number;
}

/** A place in the original source. Lines and columns from 1. */
export interface OriginalPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The original name at this place; null if the map contains none. */
  readonly name: string | null;
  /** The whole original file, if the map contains it. */
  readonly source: string | null;
}

/** Maximum number of segments that are searched for the name of a function. */
const SEGMENTS_MAX = 50_000;

/** The specifier of the library. */
export const NAME = "@jridgewell/trace-mapping@0.3.31";

/** Imports the library. */
export function traceMapping(): Promise<typeof import("@jridgewell/trace-mapping@0.3.31")> {
  return import("@jridgewell/trace-mapping@0.3.31");
}

/** Parses a map. Rejects if it is invalid. */
export async function parseMap(json: string): Promise<ParsedMap> {
  const { AnyMap, decodedMappings, originalPositionFor, sourceContentFor } = await traceMapping();
  // Removes the prefix that some servers put before JSON so that it cannot be included as a script.
  const map = new AnyMap(json.replace(/^\)\]\}'?[^\n]*\n/, ""));
  return {
    originalPlace: (line, column) => originalPositionFor(map, { line, column }),
    segments: (line) => decodedMappings(map)[line - 1] ?? [],
    nameOf: (index) => map.names[index] ?? null,
    contentOf: (source) => sourceContentFor(map, source),
  };
}

/** Returns the original place of a place in the minified file. Lines and columns start at 1. */
export function placeAt(map: ParsedMap, line: number, column: number): OriginalPlace | null {
  if (line < 1) return null;
  try {
    const found = map.originalPlace(line, Math.max(0, column - 1));
    if (found.source === null || found.line === null) return null;
    return {
      file: cut(fileFrom(found.source), NAME_CHARS_MAX),
      line: found.line,
      column: (found.column ?? 0) + 1,
      name: found.name === null ? null : cut(found.name, NAME_CHARS_MAX),
      source: map.contentOf(found.source),
    };
  } catch {
    // The mapping refers to a source that the map does not contain.
    return null;
  }
}

/**
 * Returns the original name of a frame's function: the name at the nearest earlier place that has
 * the function's minified name in the minified file and a name in the map. Null if there is none.
 */
export function functionAt(
  map: ParsedMap,
  lines: readonly string[] | null,
  { function: name, line, column }: MinifiedPlace,
): string | null {
  const minified = /([\w$]+)$/.exec(name ?? "")?.[1];
  const text = lines?.[line - 1];
  if (minified === undefined || text === undefined) return null;
  const segments = map.segments(line);
  let looked = 0;
  for (let i = segments.length - 1; i >= 0 && looked < SEGMENTS_MAX; i--, looked++) {
    const [at, , , , nameIndex] = segments[i]!;
    if (at === undefined || at >= column || nameIndex === undefined) continue;
    const after = text.charAt(at + minified.length);
    if (text.startsWith(minified, at) && !/[\w$]/.test(after)) return map.nameOf(nameIndex);
  }
  return null;
}

/** Returns a source's path without the bundler's scheme. */
function fileFrom(source: string): string {
  return source.replace(/^webpack:\/\/[^/]*\//, "").replace(/^(?:\.\.?\/)+/, "") || source;
}
