/**
 * A thread that parses source maps and keeps the latest ones, started by `map_thread.ts`: parsing a
 * map of 30 MB takes a second or more.
 *
 * @module
 */
import { parentPort } from "node:worker_threads";
import { gunzipSync } from "node:zlib";
import { CONTEXT_LINES_MAX, LINE_CHARS_MAX } from "../domain/limits.ts";
import { cut } from "../domain/trim.ts";
import { FILE_BYTES_MAX } from "./bundle.ts";
import type { MapOrder, MapReport, Traced } from "./map_thread.ts";
import { functionAt, type OriginalPlace, type ParsedMap, parseMap, placeAt } from "./trace.ts";

/** Maximum number of parsed maps in the cache, and of their bytes of JSON. */
const KEPT_MAX = 8;
const KEPT_BYTES_MAX = 67_108_864;
/** Number of source lines before and after the one that threw. */
const CONTEXT_LINES: number = Math.min(5, CONTEXT_LINES_MAX);

/** A map, and the minified file if that was uploaded too. */
interface Loaded {
  readonly map: ParsedMap;
  /** The lines of the minified file. */
  readonly lines: readonly string[] | null;
  readonly bytes: number;
}

/** Parsed maps by their keys, the most recently used one last. Null for an invalid map. */
const kept = new Map<string, Loaded | null>();

async function load({ key, map, code }: Extract<MapOrder, { kind: "load" }>): Promise<void> {
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
    // An invalid map: its frames stay as they are.
  }
  kept.set(key, loaded);
  const bytes = () => [...kept.values()].reduce((sum, one) => sum + (one?.bytes ?? 0), 0);
  while (kept.size > KEPT_MAX || kept.size > 1 && bytes() > KEPT_BYTES_MAX) {
    kept.delete(kept.keys().next().value!);
  }
}

function textOf(content: Uint8Array): string {
  return new TextDecoder().decode(gunzipSync(content, { maxOutputLength: FILE_BYTES_MAX }));
}

function trace({ key, places }: MapOrder): (Traced | null)[] | undefined {
  const loaded = kept.get(key);
  if (loaded === undefined) return undefined;
  kept.delete(key);
  kept.set(key, loaded);
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

parentPort!.on("message", async (order: MapOrder) => {
  if (order.kind === "load") await load(order);
  parentPort!.postMessage({ id: order.id, traced: trace(order) } satisfies MapReport);
});
