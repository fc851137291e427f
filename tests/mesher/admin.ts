/** Runs the administrator's commands in tests. */
import { assertEquals } from "@std/assert";
import process from "node:process";
import { runAdmin } from "../../mesher/admin.ts";
import { readCommand, readConfig } from "../../mesher/config.ts";

/** Runs a command line, and returns its output. */
export async function admin(database: string, ...args: string[]): Promise<string> {
  const command = readCommand(["admin", ...args]);
  const config = readConfig({ DATABASE_URL: database }, command);
  const write = process.stdout.write;
  let text = "";
  process.stdout.write = ((part: string) => (text += part, true)) as never;
  try {
    assertEquals(await runAdmin(command.admin!, config), 0);
  } finally {
    process.stdout.write = write;
  }
  return text;
}
