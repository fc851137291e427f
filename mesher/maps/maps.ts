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
import type { Exception, Frame, MesherEvent } from "../domain/event.ts";
import type { LogLine } from "../log.ts";
import type { Artifact, Artifacts } from "../storage/artifacts.ts";
import type { Traced } from "./map_reader.ts";
import { MapThread } from "./map_thread.ts";
import type { MinifiedPlace } from "./trace.ts";

/**
 * Maximum number of files of one event whose maps are looked up. Frames of other files stay
 * unchanged.
 */
const FILES_MAX = 20;
/** A map of a minified file, and that file if it was uploaded too. */
interface Found {
  readonly map: Artifact;
  readonly source: Artifact | undefined;
}

/** Looks up source maps, which a thread parses and caches. */
export class SourceMaps {
  readonly #artifacts: Artifacts;
  readonly #thread: MapThread;
  /** The maps that are being loaded, by id. Further requests for them wait. */
  readonly #loading = new Map<string, Promise<unknown>>();

  constructor(artifacts: Artifacts, log: LogLine) {
    this.#artifacts = artifacts;
    this.#thread = new MapThread(log);
  }

  /** Ends the thread. */
  close(): Promise<void> {
    return this.#thread.close();
  }

  /** Returns the exceptions of an event with their original frames. */
  async exceptionsOf(projectId: string, event: MesherEvent): Promise<readonly Exception[]> {
    const files = new Map<string, Frame[]>();
    for (const { frames } of event.exceptions) {
      for (const frame of frames) {
        const file = fileOf(frame);
        if (file === null) continue;
        const known = files.get(file);
        if (known !== undefined) known.push(frame);
        else if (files.size < FILES_MAX) files.set(file, [frame]);
      }
    }
    const traced = new Map<Frame, Traced>();
    for (const [file, frames] of files) {
      const found = await this.#find(projectId, event, file);
      if (found === null) continue;
      const places = await this.#trace(found, frames.map(placeOf));
      for (const [i, place] of (places ?? []).entries()) {
        if (place !== null) traced.set(frames[i]!, place);
      }
    }
    if (traced.size === 0) return event.exceptions;
    return event.exceptions.map((exception) => ({
      ...exception,
      frames: exception.frames.map((frame, i) =>
        originalFrame(frame, exception.frames[i - 1], traced)
      ),
    }));
  }

  /** Returns the original places, or null if the map is deleted or makes the thread fail. */
  async #trace(
    { map, source }: Found,
    places: readonly MinifiedPlace[],
  ): Promise<readonly (Traced | null)[] | null> {
    const known = await this.#thread.trace(map.id, places);
    if (known !== undefined) return known;
    const loading = this.#loading.get(map.id);
    if (loading === undefined) return await this.#load(map, source, places);
    await loading;
    // If the map could not be loaded, it is not tried again.
    return await this.#thread.trace(map.id, places) ?? null;
  }

  #load(
    map: Artifact,
    source: Artifact | undefined,
    places: readonly MinifiedPlace[],
  ): Promise<readonly (Traced | null)[] | null> {
    const loading = this.#loadNow(map, source, places)
      .finally(() => this.#loading.delete(map.id));
    this.#loading.set(map.id, loading);
    return loading;
  }

  async #loadNow(
    map: Artifact,
    source: Artifact | undefined,
    places: readonly MinifiedPlace[],
  ): Promise<readonly (Traced | null)[] | null> {
    const content = await this.#artifacts.artifactContent(map.id);
    // If the map was deleted after it was found, there are no original places.
    if (content === null) return null;
    const code = source === undefined ? null : await this.#artifacts.artifactContent(source.id);
    return await this.#thread.load(map.id, places, content, code) ?? null;
  }

  async #find(projectId: string, event: MesherEvent, file: string): Promise<Found | null> {
    const debugId = event.images?.find((image) => image.file === file)?.debugId;
    if (debugId !== undefined) {
      const found = await this.#artifacts.artifactsByDebugId(projectId, debugId);
      const map = found.find(({ kind }) => kind === "source_map");
      if (map !== undefined) {
        return { map, source: found.find(({ kind }) => kind === "minified_source") };
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
    return map === undefined ? null : { map, source };
  }
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

function placeOf({ function: name, line, column }: Frame): MinifiedPlace {
  return { function: name, line: line!, column: column! };
}

/** Returns a frame with its place in the original source. `caller` is the frame that called it. */
function originalFrame(
  frame: Frame,
  caller: Frame | undefined,
  traced: ReadonlyMap<Frame, Traced>,
): Frame {
  const place = traced.get(frame);
  if (place === undefined) return frame;
  const called = caller === undefined ? undefined : traced.get(caller);
  const { file, function: minified, line, column, absPath: _, ...rest } = frame;
  return {
    ...rest,
    file: place.file,
    function: place.function ?? called?.name ?? minified,
    line: place.line,
    column: place.column,
    inApp: /(?:^|\/)node_modules\//.test(place.file) ? false : frame.inApp,
    ...(place.context ?? {}),
    minified: { file, function: minified, line, column },
  };
}
