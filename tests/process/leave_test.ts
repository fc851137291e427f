/**
 * Tests a node that leaves under load: no acknowledged message is lost, and the time without a
 * running singleton is short.
 */
import { assert, assertEquals } from "@std/assert";
import { type NodeProcess, PAIRS, untilWhole, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

/**
 * Maximum time in milliseconds during which no singleton runs. The measured time is below 50 ms on
 * an idle machine.
 */
const GAP_MS_MAX = 5_000;

/**
 * Sends messages one after another, each after the previous one is acknowledged. Reconnects to
 * another node on request.
 */
class LoadClient {
  readonly acknowledged: string[] = [];
  readonly closes: string[] = [];
  readonly #name: string;
  readonly #urls: string[];
  #isOver = false;

  constructor(name: string, urls: string[]) {
    this.#name = name;
    this.#urls = urls;
  }

  /** Resolves once `stop` has been called and the last message is acknowledged. */
  async run(): Promise<void> {
    for (
      let url = this.#urls.shift();
      url !== undefined && !this.#isOver;
      url = this.#urls.shift()
    ) {
      const socket = new WebSocket(url);
      const closed = new Promise<CloseEvent>((close) => socket.onclose = close);
      await new Promise((open) => socket.onopen = open);
      const next = (): void => socket.send(`${this.#name} ${this.acknowledged.length}`);
      socket.onmessage = ({ data }) => {
        this.acknowledged.push(String(data));
        if (this.#isOver) socket.close();
        else next();
      };
      next();
      const { code, reason } = await closed;
      if (!this.#isOver) this.closes.push(`${code} ${reason}`);
    }
  }

  stop(): void {
    this.#isOver = true;
  }
}

function timesOf(node: NodeProcess, event: string): number[] {
  return node.received.filter((received) => received.event === event).map(({ at }) => at!);
}

for (const [one, other] of PAIRS) {
  test(`Node.leave (${one}, ${other}) on SIGTERM loses no acknowledged message`, async () => {
    await withNodes(async (start) => {
      const a = await start(one, "a", { leaveOnSigterm: true }, "leave_child.ts");
      const b = await start(other, "b", { seeds: [a.name] }, "leave_child.ts");
      const c = await start(one, "c", { seeds: [a.name] }, "leave_child.ts");
      await untilWhole(a, b, c);
      for (const node of [a, b, c]) await node.ask("singleton");
      await c.ask("supervise", { node: a.name });
      assertEquals([a.count("begins"), await c.ask("worker")], [1, a.name]);

      const clients = [0, 1, 2, 3, 4, 5].map((i) =>
        new LoadClient(`client${i}`, i < 3 ? [a.url, b.url] : [c.url])
      );
      const running = clients.map((client) => client.run());
      const count = (): number => Math.min(...clients.map((c) => c.acknowledged.length));
      await until("messages are acknowledged", () => count() > 50);
      a.signal("SIGTERM");
      assertEquals(await a.ended, 0);
      const atEnd = count();
      await until("more messages are acknowledged", () => count() > atEnd + 50);
      for (const client of clients) client.stop();
      await Promise.all(running);

      assertEquals([b, c].map((node) => node.count("nodedown", a.name, "shutdown")), [1, 1]);
      assertEquals(clients.flatMap(({ closes }) => closes), Array(3).fill("1012 reconnect"));
      const applied = new Set(
        [a, b, c].flatMap((node) =>
          node.received.filter(({ event }) => event === "applied").map((received) =>
            String(received["text"])
          )
        ),
      );
      const acknowledged = clients.flatMap((client) => client.acknowledged);
      assertEquals(acknowledged.filter((text) => !applied.has(text)), []);
      const ended = timesOf(a, "ends")[0]!;
      const began = [b, c].flatMap((node) => timesOf(node, "begins"))[0]!;
      const gap = began - ended;
      assert(gap >= 0 && gap < GAP_MS_MAX, `no singleton for ${gap} ms`);
      await until("the worker has moved", async () => (await c.ask("worker")) !== a.name);
    });
  });
}
