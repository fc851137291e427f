/** Three connected nodes of Mesher as processes, on one database of their own. */
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { until } from "../kit/test.ts";
import { provideDriver } from "../mesher/driver.ts";
import { type Client, loggedIn } from "../mesher/end_to_end_kit.ts";
import type { Cluster } from "../mesher/postgres.ts";
import { type FirstLogin, type MesherProcess, withProcesses } from "./mesher_kit.ts";

/** The stored events, read from the database. */
export interface Stored {
  readonly ids: readonly string[];
  /** The number of events according to the issues' counters. */
  readonly counted: number;
}

/** A database for one test. */
export interface TestDatabase {
  /** The value of `DATABASE_URL`. */
  readonly url: string;
  stored(): Promise<Stored>;
}

/** A database engine on which the nodes run. */
export interface Engine {
  readonly name: string;
  /** The reason why the engine is not available; undefined if it is available. */
  readonly missing: string | undefined;
  with(folder: string, body: (database: TestDatabase) => Promise<void>): Promise<void>;
}

const IDS = "SELECT id FROM events";
const COUNTED = "SELECT sum(event_count) AS counted FROM issues";

/** The engine SQLite, with a file in the folder of the test. */
export const SQLITE: Engine = {
  name: "SQLite",
  missing: undefined,
  async with(folder, body) {
    const url = join(folder, "mesher.db");
    // deno-lint-ignore require-await -- the other engine is asynchronous
    const stored = async (): Promise<Stored> => {
      const db = new DatabaseSync(url, { readOnly: true });
      try {
        const ids = db.prepare(IDS).all().map(({ id }) => String(id));
        return { ids, counted: Number(db.prepare(COUNTED).get()?.["counted"]) };
      } finally {
        db.close();
      }
    };
    await body({ url, stored });
  },
};

/** Starts PostgreSQL. It must be awaited before any test, because it outlives the tests. */
export async function postgresEngine(): Promise<Engine> {
  const missing = await provideDriver();
  const found: Cluster | string = missing ??
    await (await import("../mesher/postgres.ts")).startPostgres();
  return {
    name: "PostgreSQL",
    missing: typeof found === "string" ? found : undefined,
    async with(_folder, body) {
      const cluster = found as Cluster;
      const { url, drop } = await cluster.newDatabase();
      const stored = async (): Promise<Stored> => {
        const ids = (await cluster.run(url, IDS)).map(({ id }) => String(id));
        return { ids, counted: Number((await cluster.run(url, COUNTED))[0]!["counted"]) };
      };
      try {
        await body({ url, stored });
      } finally {
        await drop();
      }
    },
  };
}

/** Three nodes of Mesher on one database. */
export class MesherCluster {
  readonly names: readonly string[];
  readonly nodes: MesherProcess[] = [];
  readonly urls: string[] = [];
  readonly #start: (env: Readonly<Record<string, string>>) => MesherProcess;
  readonly #env: Readonly<Record<string, string>>;

  constructor(
    names: readonly string[],
    env: Readonly<Record<string, string>>,
    start: (env: Readonly<Record<string, string>>) => MesherProcess,
  ) {
    this.names = names;
    this.#env = env;
    this.#start = start;
  }

  /** The login that the first start wrote. */
  get firstLogin(): FirstLogin {
    return this.#firstLogin!;
  }
  #firstLogin: FirstLogin | undefined;

  /** Starts or restarts a node. */
  async start(i: number): Promise<void> {
    const { names } = this;
    const node = this.#start({
      ...this.#env,
      MESHER_NODE_NAME: names[i]!,
      MESHER_COOKIE: "a cookie for the tests of three nodes",
      MESHER_PEERS: names.filter((name) => name !== names[i]).join(","),
    });
    this.nodes[i] = node;
    this.urls[i] = await node.ready();
    this.#firstLogin ??= node.firstLogin;
  }

  /** Starts the first node, and then the other nodes. */
  async startAll(): Promise<void> {
    await this.start(0);
    await Promise.all([...this.names.keys()].slice(1).map((i) => this.start(i)));
    for (const i of this.names.keys()) await this.meet(i, this.names.length);
  }

  /** Waits until a node is connected to this many nodes. */
  async meet(i: number, count: number): Promise<void> {
    const user = await this.user(i);
    await until(
      `${this.names[i]} sees ${count} nodes`,
      async () => (await user.get("/api/v1/cluster")).json.nodes.length === count,
      60_000,
    );
  }

  /** Returns a client that is logged in on a node. */
  user(i: number): Promise<Client> {
    return loggedIn(this.urls[i]!, this.firstLogin.email, this.firstLogin.password);
  }

  /** Kills a node with -9. */
  async kill(i: number): Promise<void> {
    this.nodes[i]!.signal("SIGKILL");
    await this.nodes[i]!.ended;
  }
}

/** Runs `body` with such a cluster. `env` is passed to all nodes. */
export async function withCluster(
  engine: Engine,
  env: Readonly<Record<string, string>>,
  body: (testCluster: MesherCluster, database: TestDatabase) => Promise<void>,
  count: number = 3,
): Promise<void> {
  await withProcesses((start, folder) =>
    engine.with(folder, async (database) => {
      const names = (await freePorts(count)).map((port, i) => `mesher${i}@127.0.0.1:${port}`);
      const all: MesherProcess[] = [];
      const testCluster = new MesherCluster(
        names,
        { DATABASE_URL: database.url, ...env },
        (given) => {
          all.push(start([], given));
          return all.at(-1)!;
        },
      );
      try {
        await testCluster.startAll();
        await body(testCluster, database);
      } catch (error) {
        const output = all.map(({ output }) => output.slice(-4_000)).join("\n---\n");
        throw new Error(`${(error as Error).stack}\nOutput of the nodes:\n${output}`);
      } finally {
        for (const one of all) one.signal("SIGKILL");
        await Promise.all(all.map(({ ended }) => ended));
      }
    })
  );
}
