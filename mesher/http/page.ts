/**
 * The page's files: whatever is under `mesher/page`, and nothing above it.
 *
 * @module
 */
import { readFile, realpath } from "node:fs/promises";
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

/** The page needs nothing from elsewhere, and nobody may frame it. */
const HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "x-frame-options": "DENY",
  "cache-control": "no-cache",
};

/** Nothing inline, nothing from elsewhere, and no text is made code or elements. */
const POLICY: string = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types 'none'";

const FOLDER = fileURLToPath(new URL("../page", import.meta.url));

/** A file of the page; paths without an extension are views, and get the page itself. */
export async function pageFile(
  method: string,
  path: string,
  folder: string = FOLDER,
): Promise<Response> {
  if (method !== "GET" && method !== "HEAD") return plain(405, "method not allowed");
  const name = extname(path) === "" ? "/index.html" : path;
  const type = TYPES[extname(name).toLowerCase()];
  const file = type === undefined ? null : await contained(folder, name);
  if (file === null || type === undefined) {
    return name === "/index.html"
      ? plain(200, "Mesher runs. Its API is described at /api/openapi.json.")
      : plain(404, "not found");
  }
  const body = await readFile(file);
  const headers = { ...HEADERS, "content-type": type, "content-security-policy": POLICY };
  return new Response(method === "HEAD" ? null : new Uint8Array(body), { headers });
}

/** The file's real path, if it is one of the folder's. */
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
