import { assertEquals } from "@std/assert";
import { Node } from "../../lib/node.ts";
import { service } from "../../lib/otp/service.ts";
import { Supervisor } from "../../lib/otp/supervisor.ts";
import { test, until } from "../kit/test.ts";

test("Node: logs one report for one crash, of a child, of a start that failed, and of a loner", async () => {
  const lines: string[] = [];
  await using node = await Node.start({
    cookie: "not a secret",
    logLevel: "warn",
    log: (level, line) => void lines.push(`${level} ${line}`),
  });
  let fails = 0;
  const fragile = service<{ state: number; cast: { fail(): void; end(): void } }>({
    init: () => {
      if (fails-- > 0) throw new Error("no init");
      return 0;
    },
    cast: {
      fail: () => {
        throw new Error("as told");
      },
      end: () => 0,
    },
  });
  const tree = await Supervisor.start(node, {
    children: [{ id: "fragile", start: (self) => fragile.startAs("fragile", self) }],
  });
  const at = fragile.at(node, "fragile");
  const restarted = async (): Promise<string[]> => {
    await until("it is back", async () => (await tree.countChildren()).active === 1);
    return lines.splice(0);
  };

  fragile.cast(at).fail();
  await until("it is told", () => lines.length > 0);
  const [report, ...none] = await restarted();
  assertEquals(none, []);
  assertEquals(
    report!.includes('child "fragile" <0.2> of supervisor <0.1> ended: Error: as told'),
    true,
  );
  for (const part of ["body: service, registered as fragile", "last message:", "next: restarts"]) {
    assertEquals(report!.includes(part), true, part);
  }

  // A start that fails is told by the supervisor only.
  fails = 1;
  node.exit(at.pid, "kill");
  await until("both are told", () => lines.length === 2);
  const [killed, failed] = await restarted();
  assertEquals(killed!.includes("ended: killed"), true);
  assertEquals(failed!.includes("could not be started: Error: no init"), true);
  assertEquals(failed!.includes("its start is tried again"), true);

  const loner = node.spawn(() => (): void => {
    throw new Error("alone");
  });
  node.send(loner, "go");
  await until("it is told", () => lines.length > 0);
  assertEquals(lines.splice(0).map((line) => line.includes("crashed: Error: alone")), [true]);

  // A child that ends in order and is started all the same is worth a warning.
  await fragile.stop(at);
  await until("it is told", () => lines.length > 0);
  assertEquals(lines.splice(0).map((line) => /^warn .*ended: normal/.test(line)), [true]);
  await tree.stop();
  assertEquals(lines, []);
});
