/**
 * Three nodes of Mesher in the simulator, on one in-memory database, in virtual time. Services and
 * pipeline are the production code; there are no HTTP and no sockets.
 */
import { assertEquals } from "@std/assert";
import { simulate, type Simulation } from "../../lib/simulate.ts";
import { newParts } from "../../mesher/app.ts";
import { type Environment, readConfig } from "../../mesher/config.ts";
import type { MesherEvent } from "../../mesher/domain/event.ts";
import type { Parts } from "../../mesher/parts.ts";
import { Intake } from "../../mesher/services/intake.ts";
import { ROUNDS } from "../../mesher/services/rounds.ts";
import { joinCluster, startTree } from "../../mesher/services/tree.ts";
import { openSqlite } from "../../mesher/storage/sqlite.ts";
import type { Alert } from "../../mesher/storage/alerts.ts";
import { StorageError } from "../../mesher/storage/error.ts";
import type { Storage } from "../../mesher/storage/storage.ts";
import { HOUR_MS, NOON, type Party, party } from "./contract/world.ts";

/** The short names of the nodes. */
export const NAMES: readonly string[] = ["a", "b", "c"];
/** The names of the rounds, which are periodic tasks that one node performs for the cluster. */
export const RETENTION: string = ROUNDS[0]!.name;
export const EVALUATOR: string = ROUNDS[1]!.name;
export const SPIKES: string = ROUNDS[2]!.name;

/** One run of a periodic task. */
export interface Run {
  readonly round: string;
  readonly node: string;
  readonly at: number;
}

/** Three nodes of Mesher in one simulation. */
export interface SimStage {
  readonly sim: Simulation;
  readonly storage: Storage;
  readonly party: Party;
  readonly runs: Run[];
  /** The nodes by short name. */
  readonly nodes: Map<string, Parts>;
  /** The log lines of each node. */
  readonly lines: Map<string, string[]>;
  /** Whether the database is unavailable for writes of events on all nodes. */
  isAway: boolean;
  start(name: string): Promise<void>;
  /** Returns the short name of the node that has a singleton. */
  holder(round: string): string | undefined;
  /** Returns the alerts, oldest first. */
  alerts(): Promise<readonly Alert[]>;
  runsOf(round: string): Run[];
  take(name: string, ...events: MesherEvent[]): Promise<void>;
}

/** Runs `body`, and records when the rounds use the database. */
export async function onSimStage(
  body: (stage: SimStage) => Promise<void>,
  seed = 1,
  env: Environment = {},
): Promise<void> {
  const options = { seed, guard: false, limit: 48 * HOUR_MS, steps: 20_000_000 };
  await simulate(options, async (sim) => {
    const now = (): number => NOON + Math.floor(sim.now);
    const storage = await openSqlite({ path: ":memory:", now });
    const runs: Run[] = [];
    const nodes = new Map<string, Parts>();
    const intakes = new Map<string, Intake>();
    const lines = new Map<string, string[]>();
    const start = async (name: string): Promise<void> => {
      const options = { seeds: NAMES.filter((other) => other !== name) };
      const node = sim.names.includes(name)
        ? await sim.restart(name)
        : await sim.start(name, options);
      for (const peer of node.peers()) await node.connect(peer);
      const ran = (round: string): void => void runs.push({ round, node: name, at: sim.now });
      const noted: Storage = {
        ...storage,
        writeEvents: (batch) =>
          stage.isAway
            ? Promise.reject(new StorageError("away", true))
            : storage.writeEvents(batch),
        upkeep: (at) => (ran(RETENTION), storage.upkeep(at)),
        spikeCandidates: (at) => (ran(SPIKES), storage.spikeCandidates(at)),
        enabledAlertRules: (projectId) => {
          if (projectId === undefined) ran(EVALUATOR);
          return storage.enabledAlertRules(projectId);
        },
      };
      const config = readConfig(env, { memory: true });
      const logged: string[] = [];
      lines.set(name, logged);
      const log = (_: string, text: string): void => void logged.push(text);
      const parts = newParts(config, { storage: noted, node, log, now });
      nodes.set(name, parts);
      intakes.set(name, new Intake(parts));
      await startTree(parts);
      await joinCluster(parts);
    };
    const stage: SimStage = {
      sim,
      storage,
      party: await party(storage, "party"),
      runs,
      nodes,
      lines,
      isAway: false,
      start,
      holder(round) {
        for (const name of NAMES) {
          const holder = sim.node(name)?.global.whereis(round)?.node;
          if (holder !== undefined) return holder.split("@")[0];
        }
        return undefined;
      },
      async alerts() {
        const { orgId, project } = stage.party;
        const page = await storage.alerts(orgId, project.id, undefined, { limit: 100 });
        return [...page.rows].reverse();
      },
      runsOf: (round) => runs.filter((run) => run.round === round),
      async take(name, ...events) {
        const verdict = await intakes.get(name)!.take(stage.party.project, events);
        assertEquals(verdict.kind, "accepted");
      },
    };
    try {
      for (const name of NAMES) await start(name);
      await sim.until(
        "all nodes are connected",
        () => NAMES.every((name) => sim.node(name)!.peers().length === 2),
      );
      await body(stage);
    } finally {
      await storage.close();
    }
  });
}
