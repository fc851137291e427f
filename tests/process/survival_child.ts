/**
 * Starts a node with the options in its argument, crashes an actor, and prints the result, for
 * `survival_test.ts`.
 */
import process from "node:process";
import { Node, type NodeOptions } from "../../mod.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as NodeOptions;
try {
  const node = await Node.start(options);
  node.spawn(() => {
    throw new Error("boom");
  });
  await new Promise((wake) => setTimeout(wake, 20));
  await node.stop();
  process.stdout.write("stopped\n");
} catch (error) {
  const { name, code, message } = error as Error & { code: string };
  process.stdout.write(`${name} ${code}: ${message}\n`);
}
