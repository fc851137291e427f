/**
 * Where a frame is, without what differs from build to build and from machine to machine: hashes in file names,
 * numbered lambdas, generated classes. Pure.
 *
 * @module
 */
import type { Frame } from "./event.ts";

/** Folders into which bundlers write. */
const BUNDLES = /(?:^|\/)(?:assets|_next|_nuxt|_app|static|chunks|immutable|dist|build|bundles?)\//;
/** What follows the hash in a bundle's name. */
const SCRIPT =
  "(?=(?:\\.(?:chunk|bundle|min|module|legacy|prod))*\\.(?:m?jsx?|cjs|tsx?|css|wasm)$)";
/** Eight characters or more of base64url, or hexadecimal digits. */
const HASHED = new RegExp(`([._-])([A-Za-z0-9_-]{8,24})${SCRIPT}`);
const HEX = /([._~-]|\/)(?=[0-9a-f]*\d)[0-9a-f]{6,64}(?=[._~/-]|$)/gi;

/** Returns `module` or the file of a frame, in its canonical form. */
export function placeOf({ module, file }: Pick<Frame, "module" | "file">): string {
  if (module !== null) return classOf(module);
  if (file === null) return "";
  if (/^(?:blob|data):/i.test(file)) return `<${file.slice(0, 4).toLowerCase()}>`;
  const path = file.replaceAll("\\", "/")
    .replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, "")
    .replace(/[?#].*$/s, "")
    .replace(/^[a-z]:(?=\/)/i, "")
    // A build of Next has an id of its own.
    .replace(/(\/_next\/(?:static|data)\/)(?!chunks\/|css\/|media\/)[^/]+/, "$1<build>")
    // Releases in folders of their own: releases/20260131120000, v1.2.3, node_modules/.pnpm/x@1.2.3.
    .replace(/\/releases\/\d[\w.-]*/, "/releases/<n>")
    .replace(/@\d+\.\d+[^/]*/g, "")
    .replace(/\/v?\d+\.\d+(?:\.\d+)*(?:-[\w.]+)?(?=\/)/g, "/<n>")
    .replace(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/gi, "<uuid>");
  const name = path.replace(HASHED, (all, before, hash) => {
    return isHash(hash, BUNDLES.test(path)) ? `${before}<hash>` : all;
  }).replace(HEX, "$1<hash>");
  // Chunks that have numbers for names.
  return BUNDLES.test(path) ? name.replace(/(\/)\d+(?=[.-])/g, "$1<n>") : name;
}

/** Whether a part of a name was made by a bundler. Within its folders a mix of upper and lower case is enough. */
function isHash(part: string, isBundle: boolean): boolean {
  const isMixed = /[a-z]/.test(part) && /[A-Z]/.test(part);
  if (/[_-]/.test(part)) return isBundle && isMixed && part.length === 8;
  if (/\d/.test(part)) {
    return isMixed || /^[0-9a-f]+$/i.test(part) || isBundle && /[a-z]/i.test(part);
  }
  // Eight letters are a hash of Vite's, although they may be two words; more are words.
  return isBundle && isMixed &&
    (part.length === 8 || !/^[A-Za-z][a-z]+(?:[A-Z][a-z]+)+$/.test(part));
}

/** Returns the function of a frame, in its canonical form; empty: it has no name that lasts. */
export function functionOf(frame: Pick<Frame, "function" | "module" | "file">): string {
  const name = (frame.function ?? "")
    .replace(/^async\*? /, "")
    // Rust: the hash of a symbol.
    .replace(/::h[0-9a-f]{16}$/, "")
    .replace(/17h[0-9a-f]{16}E?$/, "")
    // PHP: a closure or class without a name has its place for one.
    .replace(/\{closure:.*\}/, "{closure}")
    .replace(/@anonymous.*$/s, "@anonymous");
  if (/^(?:\?|<?anonymous>?|<unknown>)$/.test(name)) return "";
  // A minifier calls everything t, n or e, and each build otherwise.
  if (name.length <= 2 && isBundle(frame)) return "";
  return classOf(name).replace(/\.func\d+/g, ".func<n>");
}

/** Names of the JVM and of .NET: lambdas, proxies and classes that are made while the program runs. */
function classOf(name: string): string {
  return name
    .replace(/\$\$Lambda.*$/s, "$$$$Lambda")
    .replace(/(\$\$(?:EnhancerBy|FastClassBy)\w*?\$\$)[0-9a-f]+/gi, "$1<hash>")
    .replace(
      /(\$\$_?(?:javassist|jvst|weld\w*|hibernate\w*)(?:_seam)?_?)[0-9a-f]*(?:_[0-9a-f]+)*/gi,
      "$1",
    )
    .replace(/((?:Generated\w*Accessor|\$Proxy|Proxy))\d+/g, "$1<n>")
    .replace(/(\w__\w*?)\d+(?:_\d+)*/g, "$1<n>")
    .replace(/\$\d+/g, "$<n>");
}

function isBundle({ file }: Pick<Frame, "file">): boolean {
  if (file === null || !/\.m?js(?:[?#]|$)/.test(file)) return false;
  return /<(?:hash|n|blob|build)>/.test(placeOf({ module: null, file })) || /\.min\./.test(file);
}
