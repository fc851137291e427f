// deno-lint-ignore-file no-console
/**
 * A singleton: a counter of tickets that runs once in the cluster. When its node leaves, another
 * node continues with its state.
 *
 *     deno run -A scripts/examples/singleton.ts
 *
 * @module
 */
import { Node, service, type ServicePid } from "@firn/firn";

interface Tickets {
  state: { last: number; handover: (last: number) => void };
  start: [last: number, handover: (last: number) => void];
  call: { next(): number };
}

const tickets = service<Tickets>({
  init: (last, handover) => ({ last, handover }),
  call: { next: ({ last, handover }) => [last + 1, { last: last + 1, handover }] },
  terminate: ({ last, handover }) => handover(last), // called last on a planned move
});

/**
 * Takes tickets before and after the singleton has moved. Returns the tickets, and the nodes on
 * which the singleton ran.
 */
export async function takeTickets(): Promise<{ taken: number[]; nodes: string[] }> {
  const cookie = crypto.getRandomValues(new Uint8Array(32)).toHex();
  const start = (name: string) =>
    Node.start({ name: `${name}@127.0.0.1:0`, cookie, logLevel: "silent" });
  const a = await start("a");
  await using b = await start("b");
  await b.connect(a.name);

  for (const node of [a, b]) {
    await node.global.singleton("tickets", {
      id: "tickets",
      start: (self, { state, handover }) =>
        tickets.start(self, typeof state === "number" ? state : 0, handover),
    });
  }

  const taken: number[] = [];
  const nodes: string[] = [];
  const take = async (): Promise<void> => {
    const pid = await b.global.waitFor<ServicePid<Tickets>>("tickets");
    taken.push(await tickets.call(pid).next());
    nodes.push(pid.node);
  };
  await take();
  await take();
  await a.leave(); // the singleton moves to b, with its state
  await take();
  return { taken, nodes };
}

if (import.meta.main) console.log(await takeTickets());
