/**
 * The processes that the demo starts: names, ports and programs.
 *
 * @module
 */
import { type Options, PORT_DEFAULT } from "./options.ts";
import { freePorts, takenPorts } from "./ports.ts";
import type { ProcessPlan } from "./process.ts";
import { DemoError, ownRuntime, programOf, type Runtime } from "./runtimes.ts";

/** The planned processes, and notes for the user. */
export interface Plans {
  readonly plans: readonly ProcessPlan[];
  readonly note: string | undefined;
}

/** Plans the processes. Rejects with a `DemoError` if a port is in use or a program is missing. */
export async function makePlans(options: Options): Promise<Plans> {
  const { nodes: count, bun } = options;
  const { pages, note } = await pagePorts(options);
  const meshPorts = await freePorts(count, pages);
  const plans = pages.map((port, index): ProcessPlan => {
    const last = index === count - 1;
    const runtime: Runtime = !bun ? ownRuntime : last ? "bun" : "deno";
    return {
      name: `node${index + 1}@127.0.0.1:${meshPorts[index]}`,
      page: `http://127.0.0.1:${port}/`,
      runtime,
      port,
      program: programOf(runtime),
    };
  });
  return { plans, note };
}

async function pagePorts(
  { nodes: count, port }: Options,
): Promise<{ pages: number[]; note: string | undefined }> {
  if (port === 0) return { pages: await freePorts(count), note: undefined };
  const first = port ?? PORT_DEFAULT;
  const taken = await takenPorts(first, count);
  if (taken.length === 0) {
    return { pages: Array.from({ length: count }, (_, index) => first + index), note: undefined };
  }
  const words = taken.length === 1
    ? `port ${taken[0]} is taken`
    : `ports ${taken.join(", ")} are taken`;
  if (port !== undefined) throw new DemoError(`${words}: choose others with --port, or --port 0`);
  const note = `${words}, so the pages are elsewhere (--port chooses where)`;
  return { pages: await freePorts(count), note };
}
