/** Runs programs to completion. */
import { assertEquals } from "@std/assert";
import { spawn } from "node:child_process";

/** Runs a program, and throws if it fails. Returns its output. */
export async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (text) => out += text);
  child.stderr.on("data", (text) => err += text);
  const status = await new Promise((ended) => child.on("close", ended));
  assertEquals(status, 0, `${command} ${args.join(" ")}\n${err}`);
  return out;
}
