// deno-lint-ignore-file no-console
/**
 * Jobs on remote workers: one node has the queue, the others run the jobs. A worker that is killed
 * is restarted, and a job that fails is retried.
 *
 *     deno run -A scripts/examples/jobs.ts
 *
 * @module
 */
import process from "node:process";
import { type Call, Node, type Pid, remote, type Self, Supervisor } from "@firn/firn";

/** Does the work: returns the length of a text. Throws if the text is empty. */
function work(text: string): number {
  if (text === "") throw new Error("nothing to count");
  return text.length;
}

/** Runs on the worker nodes, which expose it. */
const worker = remote("worker", (_self: Self<Call<string, number>>) => (call) => {
  call.reply(work(call.request));
});

/**
 * Starts three nodes, and runs the jobs on two of them. Returns the results in the order of the
 * jobs.
 */
export async function runJobs(jobs: readonly string[]): Promise<(number | string)[]> {
  const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
  const start = (name: string) =>
    Node.start({ name: `${name}@127.0.0.1:0`, cookie, logLevel: "silent" });
  await using queue = await start("queue");
  await using one = await start("one");
  await using other = await start("other");
  for (const node of [one, other]) {
    node.expose(worker);
    await node.connect(queue.name);
  }

  const children = [one, other].map(({ name }) => worker.child({ id: name, node: name }));
  const tree = await Supervisor.start(queue, { children, intensity: 10 });
  const run = async (job: string, index: number): Promise<number | string> => {
    for (let attempt = 0; attempt < 2; attempt++) {
      const running = (await tree.whichChildren()).filter(({ pid }) => pid !== undefined);
      const child = running[(index + attempt) % running.length];
      if (child === undefined) continue;
      try {
        return await queue.call(child.pid as Pid<Call<string, number>>, job, { timeout: 1000 });
      } catch {
        // The worker has crashed. Its supervisor restarts it, and another worker retries the job.
      }
    }
    return "failed twice";
  };
  const results = [];
  for (const [index, job] of jobs.entries()) results.push(await run(job, index));
  await tree.stop();
  return results;
}

if (import.meta.main) {
  console.log(await runJobs(["a", "bird", "", "in the hand"]));
  process.exit(0);
}
