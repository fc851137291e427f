import { assert, assertEquals } from "@std/assert";
import type { Actor } from "../../lib/actor/actor.ts";
import type { Exit } from "../../lib/actor/exit.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { test } from "../kit/test.ts";
import { join, moveAll, type Side } from "./session_pair.ts";

/**
 * The possible steps: one of the two actors links, unlinks or exits, or its node receives the next
 * frame from the other.
 */
const STEPS = ["link", "unlink", "exit", "move"] as const;

/** Two actors on two nodes, and the steps taken so far. */
class ActorPair {
  readonly sides: readonly [Side, Side];
  readonly actors: readonly [Actor, Actor];
  readonly done: string[] = [];

  constructor(sides: readonly [Side, Side]) {
    this.sides = sides;
    this.actors = [sides[0].actor({ trap: true }), sides[1].actor({ trap: true })];
  }

  /** Performs a step. Returns `false` if the step is impossible or changes nothing. */
  step(index: number): boolean {
    const who = index & 1;
    const what = STEPS[index >> 1]!;
    const [side, other] = who === 0 ? this.sides : [this.sides[1], this.sides[0]];
    const [actor, far] = who === 0 ? this.actors : [this.actors[1], this.actors[0]];
    this.done.push(`${what} ${who}`);
    if (what === "move") return other.takeFrom(side);
    if (!actor.isAlive) return false;
    if (what === "exit") actor.end("bye");
    else actor[what](side.pid(far));
    return true;
  }

  /** Returns for each actor whether it is linked to the other. */
  linked(): [boolean, boolean] {
    return this.actors.map((actor, who) => {
      const far = this.actors[1 - who]!;
      return [...actor.links ?? []].some((pid) => pid.id === far.pid.id);
    }) as [boolean, boolean];
  }

  /** Delivers every frame, and asserts that both actors agree on the link. */
  assertAgreed(): void {
    moveAll(...this.sides);
    const [one, other] = this.linked();
    assertEquals(one, other, `${this.done}: ${[one, other]}`);
    const alive = this.actors.every(({ isAlive }) => isAlive);
    if (one) assert(alive, `${this.done}: a linked actor has exited`);
    // An actor receives at most one exit that the other caused, plus those of links to exited
    // actors.
    const received = this.actors.map((actor) => actor.peek().map((exit) => (exit as Exit).reason));
    for (const reasons of received) {
      assert(reasons.filter((reason) => reason === "bye").length <= 1, `${this.done}: ${reasons}`);
    }
    if (one) {
      this.actors[0].end("last");
      moveAll(...this.sides);
      const reasons = this.actors[1].peek().map((exit) => (exit as Exit).reason);
      assertEquals(reasons.at(-1), "last", `${this.done}`);
    }
    for (const actor of this.actors) actor.end("over");
    moveAll(...this.sides);
    const kept = this.sides.map(({ line }) => line.kept);
    assertEquals(kept, [0, 0], `${this.done}: state is left`);
  }
}

/** Yields all sequences of `length` steps. */
function* sequences(steps: readonly number[], length: number): Generator<number[]> {
  const at = new Array<number>(length).fill(0);
  while (true) {
    yield at.map((i) => steps[i]!);
    let last = length - 1;
    while (last >= 0 && ++at[last]! === steps.length) at[last--] = 0;
    if (last < 0) return;
  }
}

function playAll(steps: readonly number[], length: number): number {
  const sides = join();
  let played = 0;
  for (const sequence of sequences(steps, length)) {
    const pair = new ActorPair(sides);
    // A sequence with an impossible step is skipped, because it has the effect of a shorter one.
    if (sequence.every((step) => pair.step(step))) {
      played++;
      pair.assertAgreed();
    } else {
      moveAll(...sides);
      for (const actor of pair.actors) actor.end("over");
      moveAll(...sides);
    }
  }
  assertEquals(sides.map(({ over }) => over), [undefined, undefined]);
  return played;
}

test("RemoteActor has the same links on both sides after links and unlinks in any order", () => {
  const [link0, link1, unlink0, unlink1, , , move0, move1] = [0, 1, 2, 3, 4, 5, 6, 7];
  assert(playAll([link0!, link1!, unlink0!, unlink1!, move0!, move1!], 6) > 10_000);
});

test("RemoteActor has the same links on both sides after links, unlinks and exits in any order", () => {
  const played = playAll([0, 1, 2, 3, 4, 5, 6, 7], 5);
  assert(played > 4_000, `${played}`);
});

test("RemoteActor has the same links on both sides after many random links and unlinks", () => {
  for (let seed = 0; seed < 1000; seed++) {
    const random = new SeededRandom(seed);
    const pair = new ActorPair(join());
    for (let i = 0; i < 40; i++) {
      // Exits are chosen less often than other steps.
      const step = random.below(8);
      if ((step === 4 || step === 5) && random.below(20) > 0) continue;
      pair.step(step);
    }
    try {
      pair.assertAgreed();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});
