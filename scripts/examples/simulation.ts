// deno-lint-ignore-file no-console
/**
 * A simulation of five nodes, one of which holds a global name and loses its power. Measures the
 * time until another node holds the name. Time is virtual, and a seed always produces the same run.
 *
 *     deno run -A scripts/examples/simulation.ts 7
 *
 * @module
 */
import process from "node:process";
import { simulate } from "@firn/firn/sim";

/**
 * Returns the time without a holder of the name, in virtual milliseconds, and the hash of the run.
 */
export async function failoverTime(seed: number): Promise<{ ms: number; hash: string }> {
  const { value, hash } = await simulate({ seed }, async (sim) => {
    const names = ["a", "b", "c", "d", "e"];
    for (const name of names) {
      const node = await sim.start(name, { seeds: name === "a" ? [] : ["a"] });
      // Each node competes for the name whenever it is free.
      const pid = node.spawn(() => () => {});
      const compete = (): void => {
        if (sim.node(name) === node) void node.global.register("leader", pid).catch(() => {});
      };
      node.on("name", ({ pid: holder }) => void (holder === undefined && compete()));
      compete();
    }
    const holder = () => sim.node("b")?.global.whereis("leader");
    await sim.until("there is a leader", () => holder() !== undefined);

    const crashedAt = sim.now;
    const former = holder()!.node;
    const observer = former.startsWith("b@") ? "c" : "b";
    sim.crash(former.slice(0, former.indexOf("@")));
    await sim.until("there is another leader", () => {
      const leader = sim.node(observer)?.global.whereis("leader");
      return leader !== undefined && leader.node !== former;
    });
    return sim.now - crashedAt;
  });
  return { ms: value, hash };
}

if (import.meta.main) console.log(await failoverTime(Number(process.argv[2] ?? 1)));
