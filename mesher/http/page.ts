/**
 * Serves the files of the page: those under `mesher/page`, and no others.
 *
 * Each file has a strong ETag, the hash of its bytes. A browser caches the files and revalidates
 * them (`no-cache`); the answer is 304 if a file is unchanged. A new version of the page is
 * therefore used at the next visit, and little is sent otherwise. A maximum age would let old
 * scripts run with new ones.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { readFile, realpath, stat } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".json": "application/json; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};

/**
 * The response headers of all files. The page must not be shown in a frame, and its files are
 * revalidated at each use.
 */
const HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "x-frame-options": "DENY",
  "cache-control": "no-cache",
};

/**
 * The content security policy. It forbids inline scripts, other origins, and the conversion of text
 * to code or elements.
 */
const POLICY: string = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types 'none'";

const FOLDER = fileURLToPath(new URL("../page", import.meta.url));

/** A file that was read into memory. */
interface Content {
  readonly body: Uint8Array<ArrayBuffer>;
  /** The ETag: the hash of the file, in quotes. */
  readonly tag: string;
  /**
   * Inode, modification time and size of the file when it was read. If one of them has changed, the
   * file is read again.
   */
  readonly stamp: string;
}

/** The files of a folder. Each is cached after its first request. */
export class PageFiles {
  readonly #folder: string;
  /** The cached files, by real path. */
  readonly #contents = new Map<string, Content>();

  constructor(folder: string = FOLDER) {
    this.#folder = folder;
  }

  /** Returns a file of the page; paths without an extension redirect to the page. */
  async answer({ method, headers }: Request, path: string): Promise<Response> {
    if (method !== "GET" && method !== "HEAD") return plain(405, "method not allowed");
    // The page has only one URL: its links are relative, because it may be served under a prefix.
    if (extname(path) === "" && path !== "/") {
      const up = "../".repeat(path.split("/").length - 2) || "./";
      return new Response(null, { status: 302, headers: { ...HEADERS, location: up } });
    }
    const name = path === "/" ? "/index.html" : path;
    const type = TYPES[extname(name).toLowerCase()];
    const file = type === undefined ? null : await contained(this.#folder, name);
    if (file === null || type === undefined) {
      return name === "/index.html"
        ? plain(200, "Mesher runs. Its API is described at /api/openapi.json.")
        : plain(404, "not found");
    }
    const { body, tag } = await this.#content(file);
    const common = { ...HEADERS, "content-security-policy": POLICY, "etag": tag };
    if (isKnown(headers.get("if-none-match"), tag)) {
      return new Response(null, { status: 304, headers: common });
    }
    const length = String(body.length);
    const all = { ...common, "content-type": type, "content-length": length };
    return new Response(method === "HEAD" ? null : body, { headers: all });
  }

  /** Returns a file, which is read and hashed again only if it has changed. */
  async #content(file: string): Promise<Content> {
    // The stamp is taken before the file is read: if the file changes in between, the next request
    // finds a different stamp.
    const { ino, size, mtimeMs } = await stat(file);
    const stamp = `${ino} ${size} ${mtimeMs}`;
    const known = this.#contents.get(file);
    if (known?.stamp === stamp) return known;
    const body = new Uint8Array(await readFile(file));
    const tag = `"${createHash("sha256").update(body).digest("base64url")}"`;
    const content = { body, tag, stamp };
    this.#contents.set(file, content);
    return content;
  }
}

/**
 * Returns whether an If-None-Match header contains the tag. A compressing proxy may have changed it
 * to a weak tag.
 */
function isKnown(header: string | null, tag: string): boolean {
  if (header === null) return false;
  return header.trim() === "*" ||
    header.split(",").some((one) => one.trim().replace(/^W\//, "") === tag);
}

/** Returns the real path of a file if it is inside the folder. */
async function contained(folder: string, path: string): Promise<string | null> {
  let name: string;
  try {
    name = decodeURIComponent(path);
  } catch {
    return null;
  }
  if (name.includes("\0") || name.split(/[/\\]/).some((part) => part.startsWith("."))) return null;
  try {
    const root = await realpath(folder);
    const file = await realpath(join(root, name));
    return file.startsWith(root + sep) ? file : null;
  } catch {
    return null;
  }
}

function plain(status: number, text: string): Response {
  const headers = { ...HEADERS, "content-type": "text/plain; charset=utf-8" };
  return new Response(text + "\n", { status, headers });
}
