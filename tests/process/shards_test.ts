/**
 * Tests stored shards on nodes in processes: kill -9 loses no acknowledged operation. With
 * FIRN_LONG=1 it runs for two minutes.
 */
import { assert, assertEquals } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { NodeProcess, pairsInTurn } from "../kit/process.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { test, until } from "../kit/test.ts";

/** The time in milliseconds during which nodes are killed. */
const KILLING_MS = process.env["FIRN_LONG"] === "1" ? 120_000 : 4_000;

const KEYS = ["a", "b", "c", "d", "e", "f"];
const TIMES = { pingInterval: 500, pingTimeout: 2_000, logLevel: "silent" } as const;

for (const [one, other] of pairsInTurn(0)) {
  test(
    `shards (${one}, ${other}) lose no acknowledged operation while nodes are killed with kill -9`,
    {
      timeout: KILLING_MS + 120_000,
    },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "firn-shards-"));
      const path = join(folder, "state.sqlite");
      const nodes = new Map<string, NodeProcess>();
      const seeds: string[] = [];
      const start = async (short: string, name = short): Promise<void> => {
        const runtime = short === "n1" ? other : one;
        const node = await NodeProcess.start(
          runtime,
          name,
          { ...TIMES, seeds, ...name !== short && { name } },
          "shards_child.ts",
        );
        await node.ask("open", { path });
        nodes.set(short, node);
      };
      const random = new SeededRandom(7);
      const answered = new Map<string, number[]>(KEYS.map((key) => [key, []]));
      try {
        for (const short of ["n0", "n1", "n2"]) {
          await start(short);
          seeds.push(nodes.get(short)!.name);
        }
        await until("all nodes know each other", async () => {
          const known = [...nodes.values()].map((node) => node.ask<string[]>("nodes"));
          return (await Promise.all(known)).every((names) => names.length === 3);
        });
        const endsAt = Date.now() + KILLING_MS;
        let [items, kills] = [0, 0];
        const work = async (): Promise<void> => {
          while (Date.now() < endsAt) {
            const node = [...nodes.values()][random.below(nodes.size)];
            if (node === undefined) continue;
            const key = KEYS[random.below(KEYS.length)]!;
            const item = items++;
            // A call to a killed node never settles.
            let late!: ReturnType<typeof setTimeout>;
            const isLate = new Promise<boolean>((done) => late = setTimeout(done, 4_000, false));
            const asked = node.ask("add", { key, item }).then(() => true, () => false);
            const done = await Promise.race([asked, isLate]);
            clearTimeout(late);
            if (done) answered.get(key)!.push(item);
          }
        };
        const working = Array.from({ length: 6 }, work);
        while (Date.now() < endsAt) {
          await new Promise((wake) => setTimeout(wake, 300 + random.below(1_000)));
          const short = [...nodes.keys()][random.below(nodes.size)]!;
          const { name } = nodes.get(short)!;
          const node = nodes.get(short)!;
          nodes.delete(short);
          await node.kill();
          kills++;
          await start(short, name);
        }
        await Promise.all(working);
        for (const key of KEYS) {
          let found: number[] | undefined;
          await until(`${key} can be read`, async () => {
            found = await [...nodes.values()][0]!.ask<number[]>("all", { key }).catch(() =>
              undefined
            );
            return found !== undefined;
          }, 60_000);
          assertEquals(answered.get(key)!.filter((item) => !found!.includes(item)), []);
          assertEquals(new Set(found).size, found!.length);
        }
        const count = [...answered.values()].reduce((sum, { length }) => sum + length, 0);
        assert(count > 20 && kills >= 2, `${count} answered, ${kills} kills`);
        if (process.env["FIRN_LONG"] === "1") {
          process.stderr.write(`${count} operations answered, ${kills} nodes killed, none lost\n`);
        }
      } finally {
        await Promise.all([...nodes.values()].map((node) => node.kill()));
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
}
