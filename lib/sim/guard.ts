/**
 * Detects code that bypasses the simulation because it uses the real clock, randomness or network.
 * The call still succeeds, but the run stops at the end of the event, and reports the location and
 * the simulated function to use instead.
 *
 * @module
 */

/** A use of the real environment. */
export interface Violation {
  /** The function that was used. */
  readonly what: string;
  /** The simulated function to use instead. */
  readonly replacement: string;
  /** The lines of the stack that show where the function was used. */
  readonly where: string;
}

const NOW = "self.now() in an actor, node.now() elsewhere, or sim.now in a test";
const LATER = "self.sleep(ms) or self.sendAfter(…) in an actor, or sim.run(ms) in a test";
const OUTSIDE = "a function that is passed in, which the test replaces";

/** The guarded functions, the objects that contain them, and their replacements. */
const WATCHED: readonly (readonly [string, object, string, string])[] = [
  ["Math.random", Math, "random", "node.random.next(), or sim.random.next() in a test"],
  ["Date.now", Date, "now", NOW],
  ["performance.now", performance, "now", NOW],
  ["setTimeout", globalThis, "setTimeout", LATER],
  ["setInterval", globalThis, "setInterval", "self.sendInterval(…) or node.sendInterval(…)"],
  ["fetch", globalThis, "fetch", OUTSIDE],
  ["WebSocket", globalThis, "WebSocket", OUTSIDE],
  ["crypto.getRandomValues", crypto, "getRandomValues", "node.random.bytes(length)"],
  ["crypto.randomUUID", crypto, "randomUUID", "node.uuid()"],
];

/**
 * Guards the functions until the returned function is called. `noticed` is called with each use.
 */
export function guard(noticed: (violation: Violation) => void): () => void {
  const notice = (what: string, replacement: string): void => {
    const where = (new Error().stack ?? "").split("\n").slice(3, 8).join("\n");
    noticed({ what, replacement, where });
  };
  const undo = WATCHED.map(([what, object, key, replacement]) =>
    watch(what, object, key, (what) => notice(what, replacement))
  );
  undo.push(watchDate(notice));
  return () => {
    for (const each of undo.reverse()) each();
  };
}

function watch(
  what: string,
  object: object,
  key: string,
  notice: (what: string) => void,
): () => void {
  const known = Object.getOwnPropertyDescriptor(object, key);
  const real = Reflect.get(object, key) as (...args: unknown[]) => unknown;
  const watched = new Proxy(real, {
    apply(target, self, args) {
      notice(what);
      return Reflect.apply(target, self === globalThis ? globalThis : object, args);
    },
    construct(target, args) {
      notice(what);
      return Reflect.construct(target, args);
    },
  });
  Object.defineProperty(object, key, { value: watched, configurable: true, writable: true });
  return () => {
    if (known === undefined) Reflect.deleteProperty(object, key);
    else Object.defineProperty(object, key, known);
  };
}

/** Guards `new Date()`, which returns the real time. `new Date(ms)` is permitted. */
function watchDate(notice: (what: string, replacement: string) => void): () => void {
  const real = globalThis.Date;
  globalThis.Date = new Proxy(real, {
    construct(target, args, self) {
      if (args.length === 0) notice("new Date()", `new Date(ms), with ${NOW}`);
      return Reflect.construct(target, args, self);
    },
    apply() {
      notice("Date()", NOW);
      return real();
    },
  });
  return () => {
    globalThis.Date = real;
  };
}
