/**
 * The cookie file, and errors about it.
 *
 * @module
 */
import { homedir } from "node:os";
import { join } from "node:path";
import type { Host } from "./host/host.ts";
import { CookieError, makeCookie } from "./mesh/cookie.ts";

/** Explanations of the operating system's error codes, by code. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: "this user may not read or write it",
  EPERM: "this user may not read or write it",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  ENOENT: "its folder does not exist and cannot be created",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "it is a folder",
};

/** The name of the cookie file in the home folder. */
const NAME = ".firn.cookie";

/**
 * Returns the lines of the cookie file, which is created if it does not exist.
 *
 * @throws {CookieError} `code` "cookiefile": the file can neither be read nor be created. The
 * message contains the file, the reason and advice; `cause` is the error of the runtime.
 */
export function cookiesFromFile(given: string | undefined, host: Host): readonly string[] {
  const path = given ?? defaultPath();
  try {
    return host.secretFile(path, () => makeCookie(host.random)).split(/\r?\n/);
  } catch (error) {
    throw failed(`cannot store the cookie in ${path}: ${wordsOf(error)}`, error);
  }
}

function defaultPath(): string {
  let home: string;
  try {
    home = homedir();
  } catch (error) {
    throw failed(`cannot store the cookie in the home folder: ${wordsOf(error)}`, error);
  }
  if (home !== "") return join(home, NAME);
  throw failed(`cannot store the cookie in the home folder: there is none, HOME is empty`);
}

function wordsOf(error: unknown): string {
  const { code, message } = error as Error & { readonly code?: string };
  return WORDS[code ?? ""] ?? message;
}

function failed(words: string, cause?: unknown): CookieError {
  return new CookieError(
    `${words}; or pass the option cookie, or cookieFile with another path`,
    "cookiefile",
    { cause },
  );
}
