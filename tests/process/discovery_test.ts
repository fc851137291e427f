/** Tests nodes that discover each other by DNS alone, like pods behind a headless service. */
import { assertEquals } from "@std/assert";
import { NamedMachine } from "../kit/dns.ts";
import { type NodeProcess, PAIRS, type Runtime, untilWhole, withNodes } from "../kit/process.ts";
import { test, until } from "../kit/test.ts";

for (const [one, other] of PAIRS) {
  test(
    `nodes (${one}, ${other}) find each other through a DNS name and through a DNS service`,
    {
      ignore: !NamedMachine.isPossible(),
    },
    async () => {
      const machine = new NamedMachine("--srv-host=_firn._tcp.nodes.test,fourth.test,9200");
      try {
        await withNodes(async (start) => {
          // The DNS name has no address yet, so the first nodes must wait.
          const begin = (runtime: Runtime, short: string, at: string, seed: string) =>
            start(
              runtime,
              short,
              { name: `${short}@${at}`, seeds: [seed], seedInterval: 200, joinTimeout: 500 },
              "member_child.ts",
              machine.launch,
            );
          const all = "*@nodes.test:9100";
          const a = await begin(one, "a", "127.0.1.1:9100", all);
          const b = await begin(other, "b", "127.0.1.2:9100", all);
          assertEquals(await a.ask("peers"), []);
          const failed = (node: NodeProcess) =>
            node.warnings().filter((line) => line.includes("no node found by seed *@nodes.test"));
          await until(
            "the failure is logged",
            () => failed(a).length === 1 && failed(b).length === 1,
          );
          machine.addHost("nodes.test", "127.0.1.1", "127.0.1.2");
          await untilWhole(a, b);
          // A node that is not in the DNS finds the others, which learn its name when it dials
          // them.
          const c = await begin(one, "c", "127.0.1.3:9300", all);
          await untilWhole(a, b, c);
          const d = await begin(other, "d", "127.0.1.4:9200", all);
          machine.addHost("fourth.test", "127.0.1.4");
          const e = await begin(one, "e", "127.0.1.5:9100", "*@_firn._tcp.nodes.test");
          await untilWhole(a, b, c, d, e);
          assertEquals(
            [a, b, c, d, e].map((node) => node.count("refused")),
            [0, 0, 0, 0, 0],
          );
        });
      } finally {
        await machine.remove();
      }
    },
  );
}
