/**
 * Periodic tasks, each of which runs on one node of the cluster at a time. A task is a singleton,
 * which moves to another node if its node is lost.
 *
 * @module
 */
import { type LocalChildSpec, service } from "@firn/firn";
import { isSpike } from "../domain/spike.ts";
import type { Parts } from "../parts.ts";
import { Alarm } from "./alarm.ts";
import { announceCount } from "./announcer.ts";

/** A periodic task. */
export interface Round {
  /** The global name of the task. */
  readonly name: string;
  readonly everyMs: number;
  /** Delay of the first run after the task has started on a node, in milliseconds. */
  readonly firstMs: number;
  run(parts: Parts): Promise<void>;
}

/**
 * Deletes events older than their project's retention, and prepares the database for the next days.
 */
const retention: Round = {
  name: "retention_cleaner",
  everyMs: 3_600_000,
  firstMs: 10_000,
  async run({ storage, log, now }) {
    const report = await storage.upkeep(now());
    if (report.eventsDeleted === 0 && report.partitionsDropped === 0) return;
    log(
      "info",
      `retention: ${report.eventsDeleted} events and ${report.partitionsDropped} days deleted`,
    );
  },
};

/** Fires the alert rules whose condition is a threshold. */
const alertEvaluator: Round = {
  name: "alert_evaluator",
  everyMs: 30_000,
  firstMs: 5_000,
  async run(parts) {
    const { storage, now } = parts;
    const alarm = new Alarm(parts);
    for (const rule of await storage.enabledAlertRules()) {
      const { condition } = rule;
      if (condition.kind !== "threshold") continue;
      const since = now() - condition.windowMinutes * 60_000;
      const count = await storage.eventCount(rule.projectId, since);
      if (count > condition.count) await alarm.fire(rule, null, { kind: "count", count });
    }
  },
};

/** Reopens archived issues that spike. */
const spikeChecker: Round = {
  name: "spike_checker",
  everyMs: 300_000,
  firstMs: 15_000,
  async run(parts) {
    const { storage, live, log, now } = parts;
    const alarm = new Alarm(parts);
    for (const candidate of await storage.spikeCandidates(now())) {
      if (!isSpike(candidate) || !await storage.unarchive(candidate.issueId)) continue;
      const { issueId, projectId, title } = candidate;
      log("info", `issue ${issueId} spikes: unresolved again`);
      live.tell(projectId, { type: "issue", action: "spiked", issue_id: issueId });
      await alarm.happened(projectId, issueId, { kind: "spike", title });
      await announceCount(parts, projectId);
    }
  },
};

/** All periodic tasks. */
export const ROUNDS: readonly Round[] = [retention, alertEvaluator, spikeChecker];

const rounds = service<{
  state: readonly [Parts, Round];
  start: [parts: Parts, round: Round];
  info: "due";
}>({
  init(parts, round) {
    parts.log("info", `${round.name} runs on this node`);
    this.self.sendAfter(this.self.pid, "due", round.firstMs);
    return [parts, round];
  },
  async info(state) {
    const [parts, round] = state;
    try {
      await round.run(parts);
    } catch (error) {
      // The database is unavailable. The task runs again at the next interval.
      parts.log("warn", `${round.name}: ${error instanceof Error ? error.message : error}`);
    }
    this.self.sendAfter(this.self.pid, "due", round.everyMs);
    return state;
  },
});

/** Returns a task as the child of a singleton. */
export function roundChild(parts: Parts, round: Round): LocalChildSpec {
  return { id: round.name, start: (self) => rounds.start(self, parts, round) };
}
