/**
 * Tests the chat example: three servers in separate processes, two users in a browser, and a server
 * that is killed.
 */
import { assertEquals } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { DESK, needsBrowser, openPage, PHONE, takePicture, withBrowser } from "../kit/browser.ts";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { test, until } from "../kit/test.ts";

const SERVER = fileURLToPath(new URL("../../scripts/examples/chat/server.ts", import.meta.url));

test(
  "the chat example loses no message when a server is killed",
  needsBrowser("chat_test.ts"),
  async () => {
    // A node's port is 1000 more than that of its page.
    const ports = (await freePorts(3)).map((port) => port < 63_000 ? port : port - 30_000);
    const servers: { child: ChildProcess; ended: Promise<unknown> }[] = [];
    const start = async (port: number): Promise<void> => {
      const seeds = ports.filter((other) => other !== port)
        .flatMap((other) => ["--seed", `chat${other - 8000}@127.0.0.1:${other + 1000}`]);
      const child = spawn(process.execPath, [
        "run",
        "-A",
        "--no-check",
        SERVER,
        "--port",
        `${port}`,
        ...seeds,
      ], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      const ended = new Promise((closed) => child.once("close", closed));
      servers[ports.indexOf(port)] = { child, ended };
      let [printed, errors] = ["", ""];
      child.stdout.setEncoding("utf8").on("data", (text: string) => printed += text);
      child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
      await until("the server accepts connections", () => {
        if (child.exitCode !== null) throw new Error(errors);
        return printed.includes(" serves ");
      });
    };
    try {
      await Promise.all(ports.map(start));
      await withBrowser(async (browser) => {
        const open = async (name: string, first: number, look = DESK) => {
          const order = [...ports.slice(first), ...ports.slice(0, first)];
          const page = await openPage(browser, look);
          await page.goto(`http://127.0.0.1:${order[0]}/?name=${name}&ports=${order.join()}`);
          const texts = (): Promise<string[]> => page.locator("#messages li").allTextContents();
          const say = async (text: string): Promise<void> => {
            await page.fill("#text", text);
            await page.press("#text", "Enter");
          };
          const people = async (): Promise<string> =>
            await page.locator("#people").textContent() ?? "";
          return { page, texts, say, people };
        };
        const ann = await open("ann", 0);
        const bob = await open("bob", 1, PHONE);
        await until(
          "both users are shown",
          async () => (await ann.people()).includes("bob") && (await bob.people()).includes("ann"),
        );
        const sent: string[] = [];
        const sends = async (who: typeof ann, name: string, text: string): Promise<void> => {
          await who.say(text);
          sent.push(`${name}: ${text}`);
          await until(
            "both users have the message",
            async () =>
              (await ann.texts()).length >= sent.length &&
              (await bob.texts()).length >= sent.length,
          );
        };
        for (let i = 0; i < 5; i++) {
          await sends(i % 2 ? bob : ann, i % 2 ? "bob" : "ann", `message ${i}`);
        }
        await bob.page.fill("#text", "I am about to say");
        await until(
          "bob is shown as typing",
          async () => (await ann.people()).includes("bob (typing)"),
        );
        await takePicture(ann.page, "chat");
        for (const round of [0, 1, 2]) {
          servers[round]!.child.kill("SIGKILL");
          await servers[round]!.ended;
          for (let i = 0; i < 3; i++) await sends(ann, "ann", `round ${round}, message ${i}`);
          await start(ports[round]!);
        }
        assertEquals(await ann.texts(), sent);
        assertEquals(await bob.texts(), sent);
        const late = await open("eve", 2);
        await until(
          "a new user has the last messages",
          async () => (await late.texts()).length === sent.length,
        );
        assertEquals(await late.texts(), sent);
        await takePicture(bob.page, "chat_phone");
      });
    } finally {
      for (const { child } of servers) child.kill("SIGKILL");
      await Promise.all(servers.map(({ ended }) => ended));
    }
  },
);
