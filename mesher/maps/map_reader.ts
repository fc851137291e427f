/**
 * Parses source maps, keeps the latest ones, and looks places up in them.
 *
 * @module
 */
import { gunzipSync } from "node:zlib";
import type { Frame } from "../domain/event.ts";
import { CONTEXT_LINES_MAX, LINE_CHARS_MAX } from "../domain/limits.ts";
import { cut } from "../domain/trim.ts";
import { FILE_BYTES_MAX } from "./bundle.ts";
import {
  functionAt,
  type MinifiedPlace,
  type OriginalPlace,
  type ParsedMap,
  parseMap,
  placeAt,
} from "./trace.ts";

/** A place in the original source that was found for a place in minified code. */
export interface Traced {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The original name at this place; null if the map contains none. */
  readonly name: string | null;
  /** The original name of the function, if it is found. */
  readonly function: string | null;
  readonly context: Pick<Frame, "context" | "contextBefore" | "contextAfter"> | null;
}

/** A request to the thread. */
export type MapOrder =
  & { readonly id: number; readonly key: string; readonly places: readonly MinifiedPlace[] }
  & (
    | { readonly kind: "trace" }
    /** Loads the map before the lookup. `map` and `code` are compressed with gzip. */
    | { readonly kind: "load"; readonly map: Uint8Array; readonly code: Uint8Array | null }
  );

/** Maximum number of parsed maps in the cache. */
const KEPT_MAX = 8;
/** Maximum total size of the JSON of the maps in the cache, in bytes. */
const KEPT_BYTES_MAX = 67_108_864;
/** Number of source lines that are shown before and after the line that threw. */
const CONTEXT_LINES: number = Math.min(5, CONTEXT_LINES_MAX);

/** A map, and the minified file if that was uploaded too. */
interface Loaded {
  readonly map: ParsedMap;
  /** The lines of the minified file. */
  readonly lines: readonly string[] | null;
  readonly bytes: number;
}

/** Reads and caches the maps of one node or thread. */
export class MapReader {
  /** Parsed maps by their keys, the most recently used one last. Null for an invalid map. */
  readonly #kept = new Map<string, Loaded | null>();

  /**
   * Returns the original places, or undefined if the map is not loaded. If the order contains the
   * map, loads it first.
   */
  async answer(order: MapOrder): Promise<(Traced | null)[] | undefined> {
    if (order.kind === "load") await this.#load(order);
    return this.#trace(order);
  }

  async #load({ key, map, code }: Extract<MapOrder, { kind: "load" }>): Promise<void> {
    let loaded: Loaded | null = null;
    try {
      const json = textOf(map);
      const minified = code === null ? null : textOf(code);
      loaded = {
        map: await parseMap(json),
        lines: minified?.split("\n") ?? null,
        bytes: json.length + (minified?.length ?? 0),
      };
    } catch {
      // If the map is invalid, the frames stay unchanged.
    }
    this.#kept.set(key, loaded);
    const bytes = () => [...this.#kept.values()].reduce((sum, one) => sum + (one?.bytes ?? 0), 0);
    while (this.#kept.size > KEPT_MAX || this.#kept.size > 1 && bytes() > KEPT_BYTES_MAX) {
      this.#kept.delete(this.#kept.keys().next().value!);
    }
  }

  #trace({ key, places }: MapOrder): (Traced | null)[] | undefined {
    const loaded = this.#kept.get(key);
    if (loaded === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, loaded);
    return places.map(({ line, column, function: name }) => {
      const place = loaded === null ? null : placeAt(loaded.map, line, column);
      if (loaded === null || place === null) return null;
      return {
        file: place.file,
        line: place.line,
        column: place.column,
        name: place.name,
        function: functionAt(loaded.map, loaded.lines, { function: name, line, column }),
        context: contextOf(place),
      };
    });
  }
}

function textOf(content: Uint8Array): string {
  return new TextDecoder().decode(gunzipSync(content, { maxOutputLength: FILE_BYTES_MAX }));
}

/** Returns the lines around a place, or null if the map does not contain its source. */
function contextOf({ source, line }: OriginalPlace): Traced["context"] {
  if (source === null) return null;
  const lines = source.split(/\r?\n/, line + CONTEXT_LINES).map((one) => cut(one, LINE_CHARS_MAX));
  return {
    context: lines[line - 1] ?? null,
    contextBefore: lines.slice(Math.max(0, line - 1 - CONTEXT_LINES), line - 1),
    contextAfter: lines.slice(line, line + CONTEXT_LINES),
  };
}
