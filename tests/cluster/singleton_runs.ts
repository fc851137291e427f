/** A singleton whose copies record when they run, and a lease authority in memory. */
import { Call } from "../../lib/actor/call.ts";
import type { Self } from "../../lib/actor/self.ts";
import type { Lease } from "../../lib/cluster/lease.ts";
import type { Singleton } from "../../lib/cluster/singleton.ts";
import type { SingletonChild, SingletonOptions } from "../../lib/cluster/singleton_definition.ts";
import { type TestNode, withNodes } from "../kit/mesh.ts";
import { until } from "../kit/test.ts";
import { TestCluster } from "./test_cluster.ts";

/** Records the running copies, and all copies that ever ran. */
export class Runs {
  readonly live: Set<string> = new Set();
  readonly log: { node: string; token: number | undefined; state: unknown }[] = [];
  most = 0;
  /** Called by each start after its copy has begun to run. The start waits for the result. */
  slowly: (() => Promise<unknown>) | undefined = undefined;

  child(node: TestNode): SingletonChild {
    return {
      id: "clock",
      start: async (self, { token, state, handover }) => {
        const pid = self.spawnLink((self: Self<unknown>) => {
          this.log.push({ node: node.name, token, state });
          this.live.add(node.name);
          this.most = Math.max(this.most, this.live.size);
          let sum = state as number ?? 0;
          self.signal.addEventListener("abort", () => {
            this.live.delete(node.name);
            handover(sum);
          });
          return (message: unknown) => {
            if (message instanceof Call) message.reply(sum);
            else if (message === "crash") throw new Error("crash requested");
            else sum += message as number;
          };
        });
        await this.slowly?.();
        return pid;
      },
    };
  }

  /** Waits until exactly one copy runs, on one of these nodes. Returns that node. */
  async one(nodes: readonly TestNode[], within = 10_000): Promise<TestNode> {
    const find = (): TestNode | undefined => nodes.find(({ name }) => this.live.has(name));
    await until(
      "exactly one copy runs",
      () => this.live.size === 1 && find() !== undefined,
      within,
    );
    return find()!;
  }
}

/** A lease authority in memory. */
export class Authority {
  token = 0;
  holder: string | undefined = undefined;
  isDown = false;
  readonly asked: string[] = [];

  lease(ttl: number): Lease {
    const check = (what: string): void => {
      this.asked.push(what);
      if (this.isDown) throw new Error("the authority is unreachable");
    };
    let expires = 0;
    return {
      ttl,
      acquire: (_name, node) => {
        check("acquire");
        if (this.holder !== undefined && performance.now() < expires) {
          return Promise.resolve(undefined);
        }
        this.holder = node;
        expires = performance.now() + ttl;
        return Promise.resolve(++this.token);
      },
      renew: (_name, token) => {
        check("renew");
        if (token !== this.token) return Promise.resolve(false);
        expires = performance.now() + ttl;
        return Promise.resolve(true);
      },
      release: (_name, token) => {
        check("release");
        if (token === this.token) this.holder = undefined;
        return Promise.resolve();
      },
    };
  }
}

/**
 * Awaits a promise with a timer that keeps the process alive, because the timers of nodes do not.
 */
export async function awake<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, 1_000);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}

const hasty = { pingInterval: 50, pingTimeout: 200, logLevel: "silent" } as const;

/** Runs `body` with three connected nodes that detect a lost node within 200 ms. */
export async function trio(
  body: (cluster: TestCluster, nodes: TestNode[], runs: Runs) => Promise<void>,
): Promise<void> {
  await withNodes(async (start) => {
    const names = [0, 1, 2].map((i) => `n${i}@127.0.0.1:${3000 + i}`);
    const cluster = new TestCluster((short, options, host) =>
      start(short, { ...hasty, seeds: names.filter((name) => name !== short), ...options }, host)
    );
    for (let i = 0; i < 3; i++) await cluster.add();
    await cluster.meet();
    await body(cluster, cluster.nodes, new Runs());
    cluster.faults.clear();
  });
}

/** Takes part in the singleton "clock" on each node. */
export function join(
  nodes: readonly TestNode[],
  runs: Runs,
  options: SingletonOptions,
): Promise<Singleton[]> {
  return awake(
    Promise.all(nodes.map((node) => node.global.singleton("clock", runs.child(node), options))),
  );
}
