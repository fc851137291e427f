/**
 * Reads an artifact bundle of `sentry-cli`: a zip file with a manifest and the files of a build.
 * None of its files is written to a file system, so the names of files cannot do harm.
 *
 * ```
 * manifest.json    {"release", "dist", "files": {"files/_/_/app.js": {"type", "url", "headers"}}}
 * files/…          minified files and their source maps; all else is ignored
 * ```
 *
 * The sizes that the zip file states are not trusted: files are inflated in small pieces, and the
 * bytes are counted.
 *
 * @module
 */
import { createGzip } from "node:zlib";
import { concat } from "../domain/bytes.ts";
import { idOf } from "../domain/id.ts";
import { NAME_CHARS_MAX } from "../domain/limits.ts";
import { objectOf, textOf } from "../domain/trim.ts";
import type { NewArtifact } from "../storage/artifacts.ts";

/** Maximum number of bytes of a bundle. */
export const BUNDLE_BYTES_MAX = 67_108_864;
/** Maximum number of bytes of one file, inflated. */
export const FILE_BYTES_MAX = 33_554_432;
/** Maximum number of bytes of all files of a bundle, inflated. */
export const INFLATED_BYTES_MAX = 201_326_592;
/** Maximum number of files of a bundle. */
export const FILES_MAX = 4_000;

/**
 * Number of compressed bytes that are inflated at once. One byte may inflate to a thousand bytes.
 */
const PIECE_BYTES = 2_048;
/** Number of bytes that are compressed at once, for which a processor needs 2 ms. */
const SLICE_BYTES = 65_536;
/** Number of bytes, inflated or read, after which other tasks can run. */
const TURN_BYTES = 262_144;

/** The error of a bundle that cannot be used. */
export class BundleError extends Error {
  override readonly name = "BundleError";
}

/**
 * Reads a bundle. Rejects with a `BundleError`. `given` contains values of the request, which are
 * used if the manifest does not have them.
 */
export async function readBundle(
  zip: Uint8Array,
  given: { readonly release: string | null; readonly dist: string | null },
): Promise<readonly NewArtifact[]> {
  const files = await unzipped(zip);
  const manifest = manifestOf(files.get("manifest.json"));
  const release = textOf(manifest["release"]) ?? given.release;
  const dist = textOf(manifest["dist"]) ?? given.dist;
  const found: NewArtifact[] = [];
  for (const [name, raw] of Object.entries(objectOf(manifest["files"]) ?? {})) {
    const entry = objectOf(raw);
    const bytes = files.get(name);
    const kind = entry?.["type"];
    const url = textOf(entry?.["url"]);
    if (bytes === undefined || url === null) continue;
    if (kind !== "source_map" && kind !== "minified_source") continue;
    const headers = headersOf(entry?.["headers"]);
    const map = headers.get("sourcemap") ?? headers.get("x-sourcemap") ?? null;
    found.push({
      kind,
      debugId: idOf(headers.get("debug-id")),
      release,
      dist,
      url,
      mapUrl: kind === "source_map" ? null : resolved(map ?? mapReference(bytes), url),
      content: await compressed(bytes),
    });
  }
  return found;
}

/** Returns the files of a zip file by name. */
async function unzipped(zip: Uint8Array): Promise<Map<string, Uint8Array>> {
  const { Unzip, UnzipInflate } = await import("fflate@0.8.3");
  const files = new Map<string, Uint8Array>();
  let total = 0;
  // The library replaces an error that is thrown here by its own, so the original one is kept in
  // `fault`.
  let fault: BundleError | undefined;
  const fail = (words: string): never => {
    throw fault ??= new BundleError(words);
  };
  const unzip = new Unzip((file) => {
    if (files.size >= FILES_MAX) {
      fail(`the bundle has more than ${FILES_MAX} files`);
    }
    const pieces: Uint8Array[] = [];
    let size = 0;
    files.set(file.name, new Uint8Array());
    file.ondata = (error, piece, isLast) => {
      if (error !== null) fail("the bundle is damaged");
      size += piece.length;
      total += piece.length;
      if (size > FILE_BYTES_MAX || total > INFLATED_BYTES_MAX) {
        fail("the bundle is too large when it is inflated");
      }
      pieces.push(piece);
      if (isLast) files.set(file.name, concat(pieces));
    };
    file.start();
  });
  unzip.register(UnzipInflate);
  try {
    let turnAt = 0;
    for (let at = 0; at < zip.length; at += PIECE_BYTES) {
      unzip.push(zip.subarray(at, at + PIECE_BYTES), at + PIECE_BYTES >= zip.length);
      if (at + total < turnAt) continue;
      turnAt = at + total + TURN_BYTES;
      await otherTasks();
    }
  } catch (error) {
    throw error instanceof BundleError
      ? error
      : fault ?? new BundleError("the bundle is not a zip file");
  }
  return files;
}

/** Resolves after other tasks, such as those of other requests, have run. */
export function otherTasks(): Promise<void> {
  return new Promise((turn) => setTimeout(turn, 0));
}

/** Compresses a file with gzip. Other tasks can run in the meantime. */
async function compressed(bytes: Uint8Array): Promise<Uint8Array> {
  const gzip = createGzip();
  const pieces: Uint8Array[] = [];
  gzip.on("data", (piece: Uint8Array) => pieces.push(piece));
  // Deno compresses in the thread of the caller, and a whole array without a break.
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    await new Promise((done) => gzip.write(bytes.subarray(at, at + SLICE_BYTES), done));
    await otherTasks();
  }
  await new Promise((done) => gzip.on("end", done).end());
  return concat(pieces);
}

function manifestOf(bytes: Uint8Array | undefined): Readonly<Record<string, unknown>> {
  try {
    const manifest = objectOf(JSON.parse(new TextDecoder().decode(bytes)));
    if (manifest !== null) return manifest;
  } catch {
    // The error below is also thrown if the JSON is invalid.
  }
  throw new BundleError("the bundle has no manifest.json");
}

/** Returns headers by their names in lower case. */
function headersOf(value: unknown): Map<string, string> {
  const headers = new Map<string, string>();
  for (const [name, text] of Object.entries(objectOf(value) ?? {})) {
    if (typeof text === "string" && text.length <= NAME_CHARS_MAX) {
      headers.set(name.toLowerCase(), text);
    }
  }
  return headers;
}

/** Returns the reference to a source map in the last lines of a minified file, or null. */
function mapReference(bytes: Uint8Array): string | null {
  const end = new TextDecoder().decode(bytes.subarray(-4_096));
  return /\/\/[#@] ?sourceMappingURL=([^\s'"]{1,512})\s*(?:\n|$)/.exec(end)?.[1] ?? null;
}

/**
 * Resolves a reference against the URL of the file. The result has the form of an artifact's URL:
 * `~/assets/app.js.map`.
 */
export function resolved(reference: string | null, url: string): string | null {
  if (reference === null || reference.startsWith("data:")) return null;
  if (/^[a-z][a-z0-9+.-]*:/i.test(reference)) return reference;
  const base = url.startsWith("~/") ? `http://tilde.invalid/${url.slice(2)}` : url;
  const whole = URL.parse(reference, base)?.href ?? null;
  return whole?.replace("http://tilde.invalid/", "~/") ?? null;
}
