/**
 * Applies source maps to the frames of an event when it is shown. A map can therefore be uploaded
 * after an event, and ingest does not wait for maps. The stored event stays as it was sent.
 *
 *     frame ─▶ debug id of its file, else release, dist and URL ─▶ map ─▶ file, line, function, lines around it
 *
 * A frame without a map, or with an invalid one, is shown unchanged.
 *
 * @module
 */
import { gunzip } from "node:zlib";
import { promisify } from "node:util";
import type { Exception, Frame, MesherEvent } from "../domain/event.ts";
import { CONTEXT_LINES_MAX, LINE_CHARS_MAX } from "../domain/limits.ts";
import { cut } from "../domain/trim.ts";
import type { Artifact, Artifacts } from "../storage/artifacts.ts";
import { FILE_BYTES_MAX } from "./bundle.ts";
import { functionAt, type OriginalPlace, type ParsedMap, parseMap, placeAt } from "./trace.ts";

/**
 * Maximum number of files of one event whose maps are looked up. Frames of other files stay
 * unchanged.
 */
const FILES_MAX = 20;
/** Maximum number of parsed maps in the cache, and of their bytes of JSON. */
const KEPT_MAX = 8;
const KEPT_BYTES_MAX = 67_108_864;
/** Number of source lines before and after the one that threw. */
const CONTEXT_LINES: number = Math.min(5, CONTEXT_LINES_MAX);

const inflate = promisify(gunzip);

/** A map, and the minified file if that was uploaded too. */
interface Loaded {
  readonly map: ParsedMap;
  /** The lines of the minified file. */
  readonly lines: readonly string[] | null;
  readonly bytes: number;
}

/** Looks up and caches the source maps of one node. */
export class SourceMaps {
  readonly #artifacts: Artifacts;
  /** Parsed maps by artifact id, the most recently used one last. Null for an invalid map. */
  readonly #kept = new Map<string, Loaded | null>();

  constructor(artifacts: Artifacts) {
    this.#artifacts = artifacts;
  }

  /** Returns the exceptions of an event with their original frames. */
  async exceptionsOf(projectId: string, event: MesherEvent): Promise<readonly Exception[]> {
    const files = new Set<string>();
    for (const { frames } of event.exceptions) {
      for (const frame of frames) {
        const file = fileOf(frame);
        if (file !== null && files.size < FILES_MAX) files.add(file);
      }
    }
    const maps = new Map<string, Loaded>();
    for (const file of files) {
      const loaded = await this.#find(projectId, event, file);
      if (loaded !== null) maps.set(file, loaded);
    }
    if (maps.size === 0) return event.exceptions;
    return event.exceptions.map((exception) => ({
      ...exception,
      frames: exception.frames.map((frame, i) =>
        originalFrame(frame, exception.frames[i - 1], maps)
      ),
    }));
  }

  async #find(projectId: string, event: MesherEvent, file: string): Promise<Loaded | null> {
    const debugId = event.images?.find((image) => image.file === file)?.debugId;
    if (debugId !== undefined) {
      const found = await this.#artifacts.artifactsByDebugId(projectId, debugId);
      const map = found.find(({ kind }) => kind === "source_map");
      if (map !== undefined) {
        return await this.#load(map, found.find(({ kind }) => kind === "minified_source"));
      }
    }
    const { release, dist = null } = event;
    if (release === null) return null;
    const found = await this.#artifacts.artifactsByUrl(projectId, release, dist, urlsOf(file));
    const source = found.find(({ kind }) => kind === "minified_source");
    const mapUrl = source?.mapUrl ?? null;
    if (mapUrl === null) return null;
    const urls = urlsOf(mapUrl);
    const maps = await this.#artifacts.artifactsByUrl(projectId, release, dist, urls);
    const map = maps.find(({ kind }) => kind === "source_map");
    return map === undefined ? null : await this.#load(map, source);
  }

  async #load(map: Artifact, source: Artifact | undefined): Promise<Loaded | null> {
    const kept = this.#kept.get(map.id);
    if (kept !== undefined) {
      this.#kept.delete(map.id);
      this.#kept.set(map.id, kept);
      return kept;
    }
    const content = await this.#artifacts.artifactContent(map.id);
    // The artifact was deleted since it was found.
    if (content === null) return null;
    const code = source === undefined ? null : await this.#artifacts.artifactContent(source.id);
    let loaded: Loaded | null = null;
    try {
      const json = await text(content);
      const minified = code === null ? null : await text(code);
      loaded = {
        map: await parseMap(json),
        lines: minified?.split("\n") ?? null,
        bytes: json.length + (minified?.length ?? 0),
      };
    } catch {
      // The map is invalid, so its frames stay unchanged.
    }
    this.#kept.set(map.id, loaded);
    const bytes = () => [...this.#kept.values()].reduce((sum, one) => sum + (one?.bytes ?? 0), 0);
    while (this.#kept.size > KEPT_MAX || this.#kept.size > 1 && bytes() > KEPT_BYTES_MAX) {
      this.#kept.delete(this.#kept.keys().next().value!);
    }
    return loaded;
  }
}

async function text(content: Uint8Array): Promise<string> {
  return new TextDecoder().decode(await inflate(content, { maxOutputLength: FILE_BYTES_MAX }));
}

/** Returns the file of a frame if it may have a map, or null. */
function fileOf({ absPath, file, line, column }: Frame): string | null {
  return line === null || column === null ? null : absPath ?? file;
}

/** Returns the URLs under which an upload may contain a file. */
function urlsOf(file: string): string[] {
  const plain = file.replace(/[?#].*$/s, "");
  const path = URL.parse(plain)?.pathname ?? (plain.startsWith("/") ? plain : null);
  const forms = [plain];
  if (path !== null) forms.push(`~${path}`);
  else if (!plain.startsWith("~/")) forms.push(`~/${plain.replace(/^\.?\//, "")}`);
  return [...new Set(forms)];
}

/** Returns a frame with its place in the original source. `caller`: the frame that called it. */
function originalFrame(
  frame: Frame,
  caller: Frame | undefined,
  maps: ReadonlyMap<string, Loaded>,
): Frame {
  const loaded = maps.get(fileOf(frame) ?? "");
  if (loaded === undefined) return frame;
  const place = placeAt(loaded.map, frame.line!, frame.column!);
  if (place === null) return frame;
  const called = caller === undefined ? undefined : maps.get(fileOf(caller) ?? "");
  const name = functionAt(loaded.map, loaded.lines, frame) ??
    (called === undefined ? null : placeAt(called.map, caller!.line!, caller!.column!)?.name) ??
    frame.function;
  const { file, function: minified, line, column, absPath: _, ...rest } = frame;
  return {
    ...rest,
    file: place.file,
    function: name,
    line: place.line,
    column: place.column,
    inApp: /(?:^|\/)node_modules\//.test(place.file) ? false : frame.inApp,
    ...contextOf(place),
    minified: { file, function: minified, line, column },
  };
}

/** Returns the lines around a place if the map contains its source. */
function contextOf({ source, line }: OriginalPlace): Partial<Frame> {
  if (source === null) return {};
  const lines = source.split(/\r?\n/, line + CONTEXT_LINES).map((one) => cut(one, LINE_CHARS_MAX));
  return {
    context: lines[line - 1] ?? null,
    contextBefore: lines.slice(Math.max(0, line - 1 - CONTEXT_LINES), line - 1),
    contextAfter: lines.slice(line, line + CONTEXT_LINES),
  };
}
