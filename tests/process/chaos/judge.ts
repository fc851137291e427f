/**
 * Has the journals of all lives looked at by the checkers, those of the simulator.
 */
import type { Checker, View } from "../../sim/checkers/checker.ts";
import { ChildChecker } from "../../sim/checkers/children.ts";
import { MessageChecker } from "../../sim/checkers/messages.ts";
import { NameChecker } from "../../sim/checkers/names.ts";
import { RoomChecker } from "../../sim/checkers/rooms.ts";
import { SignalChecker } from "../../sim/checkers/signals.ts";
import { type Entry, readJournal } from "./journal.ts";

/** One life of a node. */
export interface Life {
  readonly life: string;
  readonly journal: string;
  isOver: boolean;
}

/** What was found in the journals. */
export interface Verdict {
  /** What was broken, by promise. */
  readonly broken: ReadonlyMap<string, string>;
  /** How many entries there are: journals at rest do not grow. */
  readonly entries: number;
  /** How often a session was lost since a moment. */
  readonly lost: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** Looks at everything so far. Sessions that are lost are counted from `since` on. */
export function judge(lives: readonly Life[], views: readonly View[], since: number): Verdict {
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
  let bonds = 0;
  let holders = 0;
  const take = (life: string, entry: Entry): void => {
    entries++;
    if (entry.kind === "lost") {
      const what = `sessions lost, ${entry.reason}`;
      losses[what] = (losses[what] ?? 0) + 1;
      if (entry.at >= since) lost++;
    } else if (entry.kind !== "log" && entry.kind !== "met") {
      if (entry.kind === "bond") bonds++;
      if (entry.kind === "holds") holders++;
      for (const checker of Object.values(checkers)) checker.take(life, entry);
    }
  };
  for (const { life, journal } of lives) {
    for (const entry of readJournal(journal)) take(life, entry);
  }
  for (const { life, isOver } of lives) {
    if (isOver) { for (const checker of Object.values(checkers)) checker.gone(life); }
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
    lives: lives.length,
    ...losses,
    "messages sent": messages.sent,
    "messages arrived": messages.arrived,
    "bonds made": bonds,
    "signals": signals.count,
    "names held": holders,
    "lines heard": rooms.heard,
    "children started": children.started,
  };
  return { broken, entries, lost, counts };
}
