/**
 * The file that holds the first start's secrets: what to log in with, and the first project's key. It is for
 * its owner only, so the secrets are in no log, no terminal's history and no container's output.
 *
 * @module
 */
import { rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { FirstRun, KeepSecrets } from "./first_run.ts";

const FILE = "mesher-first-login.txt";

/** Returns where the file goes unless `MESHER_FIRST_LOGIN` names a place: beside SQLite's file, or here. */
export function firstLoginPath(database: string, isFile: boolean): string {
  return isFile ? join(dirname(database), FILE) : FILE;
}

/** Writes the file, in place of an older one. Throws if it cannot be written. */
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
    // Exclusively, so that it is never an existing file or link.
    writeFileSync(path, text, { mode: 0o600, flag: "wx" });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Error(
      `the first login cannot be written to ${path} (MESHER_FIRST_LOGIN names another place): ${words}`,
      { cause: error },
    );
  }
}

/** Returns what keeps the secrets in the file. */
export function keepSecrets(path: string, url: string): KeepSecrets {
  return (secrets) => {
    writeFirstLogin(path, secrets, url);
    return () => removeFirstLogin(path);
  };
}

/** Removes the file, if there is one. */
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
