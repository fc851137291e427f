/**
 * Question: what does a restart cost, from the exit of a child until it runs again?
 *
 * One iteration ends a hundred children at once and waits until all of them run again: divide by a
 * hundred. Each crash report is formatted as text. `compare.ts` measures the same for Erlang's
 * supervisor.
 *
 * @module
 */
import { bench, size } from "../kit.ts";
import { type End, type Kind, Restarts } from "./restarts.ts";

const CHILDREN = size(100, 3);

for (const kind of ["actor", "service"] as const satisfies readonly Kind[]) {
  const restarts = await Restarts.start(CHILDREN, kind);
  const group = `${CHILDREN} children, each ${kind === "actor" ? "an actor" : "a service"}`;
  for (const end of ["kill", "throw"] as const satisfies readonly End[]) {
    bench(`${end} and restart: ${group}`, { group, baseline: end === "kill" }, async () => {
      await restarts.burst(end);
    });
  }
}
