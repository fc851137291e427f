/** Tests the commands of the check: how many run at the same time, and in which order. */
import { assertEquals } from "@std/assert";
import { runPool } from "../../scripts/check/pool.ts";
import { test, until } from "../kit/test.ts";

/**
 * Returns queues of jobs, a function that ends a job by its name, and one that returns the names of
 * the running jobs.
 */
function stage(...queues: readonly string[][]) {
  const running = new Map<string, () => void>();
  const job = (name: string) => () => new Promise<void>((end) => running.set(name, end));
  return {
    queues: queues.map((names) => names.map(job)),
    names: () => [...running.keys()].sort().join(" "),
    end(name: string) {
      running.get(name)!();
      running.delete(name);
    },
  };
}

test("runPool runs at most as many jobs as its limit, and takes them from the least busy queue", async () => {
  const { queues, names, end } = stage(["a1", "a2", "a3"], ["b1", "b2"], ["c1"]);
  let isOver = false;
  const over = runPool(queues, 2).then(() => isOver = true);
  assertEquals(names(), "a1 b1");
  end("a1");
  await until("the next job runs", () => names() !== "b1");
  assertEquals(names(), "a2 b1");
  end("b1");
  await until("the next job runs", () => names() !== "a2");
  assertEquals(names(), "a2 b2");
  end("a2");
  await until("the next job runs", () => names() !== "b2");
  end("a3");
  await until("the next job runs", () => names().includes("c1"));
  assertEquals(names(), "b2 c1");
  end("b2");
  assertEquals(isOver, false);
  end("c1");
  await over;
});

test("runPool without jobs ends at once", async () => {
  await runPool([[], []], 4);
});
