/**
 * Announces stored events: sends them and the number of unresolved issues to live streams, and
 * fires the alerts for new and regressed issues. It is also the node's hub of live streams
 * (`live.ts`).
 *
 * A failed announcement is not repeated, and the writer does not wait for announcements.
 *
 * @module
 */
import { type Service, service } from "@firn/firn";
import type { Parts } from "../parts.ts";
import { Alarm } from "./alarm.ts";
import type { EventOutcome, NewEvent } from "../storage/events.ts";

/** The service's name on each node. */
export const ANNOUNCER = "stream_manager";

/** The state of the announcer. */
export interface AnnouncerState {
  readonly parts: Parts;
  readonly alarm: Alarm;
}

/** The protocol of the announcer. */
export interface Announcer {
  state: AnnouncerState;
  start: [parts: Parts];
  cast: {
    stored(rows: readonly NewEvent[], outcomes: readonly (EventOutcome | undefined)[]): void;
  };
}

/** The service that announces the events that a node has stored. */
export const announcer: Service<Announcer> = service({
  init(parts) {
    parts.live.adopt(this.self.pid);
    return { parts, alarm: new Alarm(parts) };
  },
  cast: {
    async stored(state, rows, outcomes) {
      state.parts.live.events(rows, outcomes);
      const changed = new Set<string>();
      for (const [i, row] of rows.entries()) {
        const outcome = outcomes[i];
        if (outcome?.kind !== "stored" || !(outcome.first || outcome.regressed)) continue;
        changed.add(row.projectId);
        const kind = outcome.first ? "new_issue" : "regression";
        if (outcome.regressed) {
          state.parts.live.tell(row.projectId, {
            type: "issue",
            action: "regressed",
            issue_id: outcome.issueId,
          });
          const { release } = row.event;
          await state.parts.storage.addActivity(outcome.issueId, "regressed", { release });
        }
        const happening = { kind, title: row.title, level: row.event.level } as const;
        await state.alarm.happened(row.projectId, outcome.issueId, happening);
      }
      for (const projectId of changed) await announceCount(state.parts, projectId);
      return state;
    },
  },
});

/** Sends the number of a project's unresolved issues to the live streams of the project. */
export async function announceCount({ storage, live }: Parts, projectId: string): Promise<void> {
  const count = await storage.unresolvedCount(projectId);
  live.tell(projectId, { type: "issue_count", project_id: projectId, count });
}
