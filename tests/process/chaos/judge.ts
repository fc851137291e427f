/** Passes the journals of all incarnations to the checkers of the simulator. */
import type { Checker, View } from "../../sim/checkers/checker.ts";
import { ChildChecker } from "../../sim/checkers/children.ts";
import { MessageChecker } from "../../sim/checkers/messages.ts";
import { NameChecker } from "../../sim/checkers/names.ts";
import { RoomChecker } from "../../sim/checkers/rooms.ts";
import { SignalChecker } from "../../sim/checkers/signals.ts";
import { type Entry, readJournal } from "./journal.ts";

/** An incarnation of a node, with its journal. */
export interface Incarnation {
  readonly incarnation: string;
  readonly journal: string;
  isOver: boolean;
}

/** The result of the checks. */
export interface Verdict {
  /** Descriptions of the violations, by the name of the promise. */
  readonly broken: ReadonlyMap<string, string>;
  /** The number of entries. The journals of an idle cluster do not grow. */
  readonly entries: number;
  /** The number of sessions lost since a given time. */
  readonly lost: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** Checks all journals so far. Counts the sessions lost since `since`. */
export function judge(
  incarnations: readonly Incarnation[],
  views: readonly View[],
  since: number,
): Verdict {
  const messages = new MessageChecker();
  const signals = new SignalChecker();
  const rooms = new RoomChecker();
  const children = new ChildChecker();
  const checkers: Record<string, Checker> = {
    messages,
    signals,
    names: new NameChecker(),
    rooms,
    children,
  };
  let entries = 0;
  let lost = 0;
  const losses: Record<string, number> = {};
  let relations = 0;
  let holders = 0;
  const take = (incarnation: string, entry: Entry): void => {
    entries++;
    if (entry.kind === "lost") {
      const what = `sessions lost, ${entry.reason}`;
      losses[what] = (losses[what] ?? 0) + 1;
      if (entry.at >= since) lost++;
    } else if (entry.kind !== "log" && entry.kind !== "met") {
      if (entry.kind === "bond") relations++;
      if (entry.kind === "holds") holders++;
      for (const checker of Object.values(checkers)) checker.take(incarnation, entry);
    }
  };
  for (const { incarnation, journal } of incarnations) {
    for (const entry of readJournal(journal)) take(incarnation, entry);
  }
  for (const { incarnation, isOver } of incarnations) {
    if (isOver) { for (const checker of Object.values(checkers)) checker.gone(incarnation); }
  }
  const broken = new Map<string, string>();
  for (const [promise, checker] of Object.entries(checkers)) {
    try {
      checker.check(views);
    } catch (error) {
      broken.set(promise, (error as Error).message);
    }
  }
  const counts = {
    incarnations: incarnations.length,
    ...losses,
    "messages sent": messages.sent,
    "messages arrived": messages.arrived,
    "bonds made": relations,
    "signals": signals.count,
    "names held": holders,
    "lines received": rooms.observed,
    "children started": children.started,
  };
  return { broken, entries, lost, counts };
}
