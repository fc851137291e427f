/** A real SMTP server for tests, `smtp_child.ts` in its own process. */
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { runtime } from "../kit/test.ts";

const CHILD = fileURLToPath(new URL("./smtp_child.ts", import.meta.url));

/** A running SMTP server. */
export interface MailServer {
  /** The address of the server, `127.0.0.1:port`. */
  readonly host: string;
  /** The mails that have arrived, unchanged. */
  readonly mails: readonly string[];
}

/** Runs `body` with an SMTP server. */
export async function withMailServer(
  body: (server: MailServer) => Promise<void>,
): Promise<void> {
  const args = runtime === "deno" ? ["run", "-A", "--no-check", CHILD] : [CHILD];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const mails: string[] = [];
  const port = await new Promise<string>((resolve, reject) => {
    child.on("exit", () => reject(new Error("the SMTP server has ended")));
    createInterface({ input: child.stdout! }).on("line", (line) => {
      if (line.startsWith('"')) mails.push(JSON.parse(line));
      else resolve(line);
    });
  });
  try {
    await body({ host: `127.0.0.1:${port}`, mails });
  } finally {
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.stdin!.end();
    await ended;
  }
}
