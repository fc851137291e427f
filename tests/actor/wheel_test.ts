import { assert, assertEquals } from "@std/assert";
import { REACH_MS, Wheel, type WheelTimer } from "../../lib/actor/wheel.ts";
import { SeededRandom } from "../../lib/base/random.ts";
import { test } from "../kit/test.ts";

class Probe implements WheelTimer {
  due = 0;
  next: WheelTimer | undefined = undefined;
  previous: WheelTimer | undefined = undefined;
  readonly fired: Probe[];
  then: (() => void) | undefined;

  constructor(fired: Probe[], then?: () => void) {
    this.fired = fired;
    this.then = then;
  }

  fire(): void {
    this.fired.push(this);
    this.then?.();
  }
}

/**
 * Advances only when `nextDue` requires it, as the system's timer does. Returns the number of
 * advances.
 */
function follow(wheel: Wheel, end: number): number {
  let wakes = 0;
  for (let due = wheel.nextDue(); due <= end; due = wheel.nextDue()) {
    wheel.advance(due);
    wakes++;
  }
  return wakes;
}

/**
 * Returns a random delay. All levels of the wheel are about equally likely; delays at the edges of
 * a level are more likely than others.
 */
function distance(random: SeededRandom): number {
  const level = 8 * (1 + random.below(4));
  if (random.next() < 0.2) return 2 ** level - 1 + random.below(3) - 1;
  return Math.floor(random.next() * 2 ** level);
}

test("Wheel fires every timer exactly at its due time, in order", () => {
  const fired: Probe[] = [];
  const wheel = new Wheel(1000);
  const dues = [1000, 1001, 1255, 1256, 1257, 1511, 2024, 66_536, 66_537, 17_000_000];
  for (const due of dues.toReversed()) wheel.add(new Probe(fired), due);
  for (const due of dues) {
    wheel.advance(due - 1);
    assert(!fired.some((timer) => timer.due === due), `${due} is early`);
    wheel.advance(due);
    assertEquals(fired.at(-1)?.due, due);
  }
  assertEquals(fired.map(({ due }) => due), dues);
  assertEquals(wheel.size, 0);
});

for (const seed of [1, 2, 3, 4]) {
  test(`Wheel behaves like a sorted list for random operations with seed ${seed}`, () => {
    const random = new SeededRandom(seed);
    const fired: Probe[] = [];
    const pending = new Set<Probe>();
    let now = random.below(2 ** 20);
    let next = now; // the next tick to be processed
    const wheel = new Wheel(now);
    for (let step = 0; step < 5000; step++) {
      const dice = random.next();
      if (dice < 0.5) {
        const timer = new Probe(fired);
        const due = now + distance(random);
        wheel.add(timer, due + (random.next() < 0.3 ? -random.next() : 0));
        assertEquals(timer.due, Math.max(due, next));
        pending.add(timer);
      } else if (dice < 0.65) {
        const timer = [...pending][random.below(pending.size)];
        if (timer !== undefined) wheel.remove(timer);
        if (timer !== undefined) pending.delete(timer);
      } else {
        const first = Math.min(...[...pending].map(({ due }) => due));
        assert(wheel.nextDue() <= first, `${wheel.nextDue()} is later than ${first}`);
        // Chooses the next time: `nextDue`, just before the first timer, an edge of a level, or a
        // random later time.
        const way = random.below(6);
        const target = way === 0
          ? wheel.nextDue()
          : way === 1
          ? first - 1
          : way === 2
          ? Math.ceil((now + 1) / 256) * 256 - 1
          : way === 3
          ? now + distance(random)
          : now + random.below(300);
        now = Math.max(now, Number.isFinite(target) ? target : 0);
        next = Math.max(next, now + 1);
        wheel.advance(now + random.next() * 0.99);
        const due = [...pending].filter((timer) => timer.due <= now).map(({ due }) => due)
          .sort((a, b) => a - b);
        assertEquals(fired.map(({ due }) => due), due);
        for (const timer of fired.splice(0)) assert(pending.delete(timer), "fired twice");
      }
      assertEquals(wheel.size, pending.size);
    }
    assertEquals(wheel.nextDue() === Infinity, pending.size === 0);
    const left = pending.size;
    const wakes = follow(wheel, Number.MAX_SAFE_INTEGER);
    assertEquals(fired.length, left);
    assert(wakes <= 4 * left, `${wakes} wakes for ${left} timers`);
  });
}

test("Wheel.nextDue is not late when the next tick starts a slot of a higher level", () => {
  for (const edge of [256, 65_536, 2 ** 24]) {
    const fired: Probe[] = [];
    const wheel = new Wheel(0);
    wheel.add(new Probe(fired), edge + 3);
    wheel.advance(edge - 1);
    assert(wheel.nextDue() <= edge + 3, `${wheel.nextDue()} is later than ${edge + 3}`);
    follow(wheel, edge + 3);
    assertEquals(fired.map(({ due }) => due), [edge + 3]);
  }
});

test("Wheel.advance skips years without timers in constant time", () => {
  const fired: Probe[] = [];
  const wheel = new Wheel(0);
  const year = 365 * 24 * 3_600_000;
  // A timer that is due at the end of the wheel's reach must fire too.
  wheel.add(new Probe(fired), REACH_MS);
  const began = performance.now();
  for (let i = 0; i < 20; i++) {
    wheel.add(new Probe(fired), (i + 1) * year);
    wheel.advance((i + 1) * year);
  }
  assertEquals(fired.length, 21);
  const took = performance.now() - began;
  assert(took < 2000, `${took} ms`);
});

test("Wheel.add moves a past due time to the next tick, and a far one into the last slot", () => {
  const fired: Probe[] = [];
  const wheel = new Wheel(500);
  wheel.advance(500);
  const [past, far] = [new Probe(fired), new Probe(fired)];
  wheel.add(past, 3);
  wheel.add(far, 1e15);
  assertEquals([past.due, far.due], [501, 501 + REACH_MS]);
  wheel.advance(500.9);
  assertEquals(fired, []);
  wheel.advance(501);
  assertEquals(fired, [past]);
  follow(wheel, far.due - 1);
  assertEquals(fired, [past]);
  follow(wheel, far.due);
  assertEquals(fired, [past, far]);
});

test("Wheel.remove removes a timer once, and ignores unknown timers", () => {
  const fired: Probe[] = [];
  const wheel = new Wheel(0);
  const timers = [5, 5, 5, 300, 300].map((due) => {
    const timer = new Probe(fired);
    wheel.add(timer, due);
    return timer;
  });
  wheel.remove(timers[1]!);
  wheel.remove(timers[1]!);
  wheel.remove(timers[3]!);
  wheel.remove(new Probe(fired));
  assertEquals(wheel.size, 3);
  wheel.advance(400);
  assertEquals(fired, [timers[0], timers[2], timers[4]]);
  wheel.remove(timers[0]!);
  assertEquals([wheel.size, wheel.nextDue()], [0, Infinity]);
});

test("Wheel allows a firing timer to add and remove timers, including itself", () => {
  const fired: Probe[] = [];
  const wheel = new Wheel(0);
  const victim = new Probe(fired);
  const late = new Probe(fired);
  const again: Probe = new Probe(fired, () => {
    if (fired.length < 3) wheel.add(again, again.due);
  });
  wheel.add(new Probe(fired, () => wheel.remove(victim)), 10);
  wheel.add(victim, 10);
  wheel.add(again, 11);
  wheel.add(new Probe(fired, () => wheel.add(late, 1)), 20);
  wheel.advance(19);
  // A timer added for the tick that is firing fires in the next tick, so that no tick is endless.
  assertEquals([fired.length, fired[1], fired[2], again.due], [3, again, again, 12]);
  wheel.advance(21);
  assertEquals([fired.at(-1), late.due, wheel.size], [late, 21, 0]);
});

test("Wheel adds and removes timers in constant time with 100,000 timers", () => {
  const fired: Probe[] = [];
  const cost = (pending: number): number => {
    const wheel = new Wheel(0);
    const random = new SeededRandom(5);
    for (let i = 0; i < pending; i++) wheel.add(new Probe(fired), 1 + random.below(600_000));
    const timer = new Probe(fired);
    const began = performance.now();
    for (let i = 0; i < 100_000; i++) {
      wheel.add(timer, 1 + random.below(600_000));
      wheel.remove(timer);
    }
    assertEquals(wheel.size, pending);
    return performance.now() - began;
  };
  cost(10);
  const [few, many] = [cost(10), cost(100_000)];
  assert(many < 20 * few + 200, `${few} ms among 10, ${many} ms among 100,000`);
});

test("Wheel.advance fires a timer that adds itself again once per turn of the wheel", () => {
  const wheel = new Wheel(0);
  const fired: Probe[] = [];
  const probe: Probe = new Probe(fired, () => {
    if (fired.length < 10) wheel.add(probe, fired.length * 256 + 10);
  });
  wheel.add(probe, 10);
  wheel.advance(10);
  assertEquals(fired.length, 1);
  wheel.advance(265);
  assertEquals(fired.length, 1);
  wheel.advance(266);
  assertEquals(fired.length, 2);
});

test("Wheel.begin sets the due times of waiting timers", () => {
  const fired: Probe[] = [];
  const wheel = new Wheel(0);
  const [first, second, removed] = [new Probe(fired), new Probe(fired), new Probe(fired)];
  wheel.addWaiting(second, 20);
  wheel.addWaiting(removed, 1);
  wheel.addWaiting(first, 10);
  wheel.remove(removed);
  assertEquals([wheel.size, wheel.nextDue()], [2, Infinity]);
  wheel.advance(1000);
  assertEquals([fired.length, wheel.hasWaiting], [0, true]);
  assertEquals(wheel.begin(5000.5), 5011);
  assertEquals([first.due, second.due, wheel.size, wheel.hasWaiting], [5011, 5021, 2, false]);
  wheel.advance(5010);
  assertEquals(fired, []);
  wheel.advance(5021);
  assertEquals(fired, [first, second]);
  assertEquals(wheel.size, 0);
});

test("Wheel.advance fires at most the given number of timers, and continues in order", () => {
  const wheel = new Wheel(0);
  const fired: Probe[] = [];
  const late = new Probe(fired);
  const again: Probe = new Probe(fired, () => {
    // Adds the timer again to the same slot, due one turn of the wheel later.
    if (again.due === 10) wheel.add(again, 266);
    // A timer whose due time is in the past fires at the next tick.
    if (late.next === undefined && !fired.includes(late)) wheel.add(late, 3);
  });
  wheel.add(again, 10);
  const rest = Array.from({ length: 5 }, () => new Probe(fired));
  for (const probe of rest) wheel.add(probe, 10);
  const removed = new Probe(fired);
  wheel.add(removed, 10);
  const next = new Probe(fired);
  wheel.add(next, 11);
  assertEquals([wheel.advance(12, 3), fired.length], [true, 3]);
  wheel.remove(removed);
  assertEquals([wheel.nextDue(), wheel.advance(12, 3), fired.length], [10, true, 6]);
  assertEquals([wheel.advance(12, 3), fired.length], [false, 8]);
  assertEquals(fired, [again, ...rest, next, late]);
  assertEquals([wheel.nextDue(), wheel.size], [266, 1]);
  follow(wheel, 300);
  assertEquals([fired.length, wheel.size], [9, 0]);
});

test("Wheel.advance fires timers in the same order whether or not it is called in portions", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const orders = [Infinity, 1, 3].map((most) => {
      const random = new SeededRandom(seed);
      const wheel = new Wheel(0);
      const order: number[] = [];
      for (let i = 0; i < 200; i++) {
        const probe: Probe = new Probe([], () => {
          order.push(i);
          if (i % 7 === 0 && order.length < 400) wheel.add(probe, probe.due + 256 * (1 + i % 2));
        });
        wheel.add(probe, random.below(20) * 64);
      }
      for (let now = 0; now < 3000; now += 100) while (wheel.advance(now, most));
      return order.join(" ");
    });
    assertEquals(new Set(orders).size, 1, `seed ${seed}`);
  }
});

test("Wheel.advance moves timers of a higher level in portions, between which timers are added and removed", () => {
  for (const edge of [256, 65_536]) {
    const wheel = new Wheel(0);
    const fired: Probe[] = [];
    const probes = Array.from({ length: 1_000 }, () => new Probe(fired));
    for (const [i, probe] of probes.entries()) wheel.add(probe, edge + i % 250);
    const [added, removed] = [new Probe(fired), probes[999]!];
    let portions = 0;
    while (wheel.advance(edge - 1 + 0.5, 10));
    for (; wheel.advance(edge, 10); portions++) {
      if (portions !== 2) continue;
      assertEquals([fired.length, wheel.nextDue()], [0, edge]);
      wheel.remove(removed);
      wheel.add(added, edge - 5);
    }
    // The 1,000 timers are moved to lower levels, 160 in each portion. Then the five timers that
    // are due fire in one portion.
    assert(portions >= 6 && portions <= 8, `${portions} portions`);
    assertEquals(fired.map(({ due }) => due), [edge, edge, edge, edge, edge]);
    assertEquals(fired.includes(added), true);
    while (wheel.advance(edge + 300, 10));
    assertEquals([fired.length, wheel.size, fired.includes(removed)], [1_000, 0, false]);
  }
});
