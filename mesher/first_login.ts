/**
 * The file with the secrets of the first start: the first login, and the first project's key. Only
 * its owner can read it, so that the secrets are in no log, terminal history or container output.
 *
 * @module
 */
import { rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { FirstRun, KeepSecrets } from "./first_run.ts";

const FILE = "mesher-first-login.txt";

/**
 * Returns the default path of the file: in the folder of SQLite's file, or in the current folder.
 */
export function firstLoginPath(database: string, isFile: boolean): string {
  return isFile ? join(dirname(database), FILE) : FILE;
}

/** Writes the file, and replaces an older one. Throws if it cannot be written. */
export function writeFirstLogin(
  path: string,
  { email, password, key }: Pick<FirstRun, "email" | "password" | "key">,
  url: string,
): void {
  const dsn = `${url.replace("://", `://${key}@`)}/1`;
  const text = `The first login of Mesher. Delete this file when you have logged in.

page       ${url}
email      ${email}
password   ${password}
project    default
key        ${key}
DSN        ${dsn}     (for Sentry's SDKs)

Send an event:

curl ${url}/api/v1/events -H 'X-API-Key: ${key}' -d '{"message":"Hello, Mesher","level":"info"}'
`;
  removeFirstLogin(path);
  try {
    // The file is created exclusively, so that it is never an existing file or a link.
    writeFileSync(path, text, { mode: 0o600, flag: "wx" });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Error(
      `the first login cannot be written to ${path} (MESHER_FIRST_LOGIN sets another path): ${words}`,
      { cause: error },
    );
  }
}

/** Returns a function that stores the secrets in the file. */
export function keepSecrets(path: string, url: string): KeepSecrets {
  return (secrets) => {
    writeFirstLogin(path, secrets, url);
    return () => removeFirstLogin(path);
  };
}

/** Removes the file if it exists. */
export function removeFirstLogin(path: string): void {
  rmSync(path, { force: true });
}

/** Returns the text that is printed in place of the secrets. */
export function firstLoginNotice(path: string, url: string): string {
  return `
  This is the first start. What to log in with, and a key to send events with, are in a file
  that only you can read:

    page   ${url}
    login  ${path}

  Delete ${basename(path)} when you have logged in.

`;
}
