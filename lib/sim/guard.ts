/**
 * Detects code that bypasses the simulation: that uses the real clock, randomness or network. The
 * call still succeeds, but the run fails and reports its location.
 *
 * @module
 */

/** A use of the real environment. */
export interface Violation {
  /** What was used. */
  readonly what: string;
  /** Lines of the stack. */
  readonly where: string;
}

/** The guarded functions and the objects that have them. */
const WATCHED: readonly (readonly [string, object, string])[] = [
  ["Math.random", Math, "random"],
  ["Date.now", Date, "now"],
  ["performance.now", performance, "now"],
  ["setTimeout", globalThis, "setTimeout"],
  ["setInterval", globalThis, "setInterval"],
  ["fetch", globalThis, "fetch"],
  ["WebSocket", globalThis, "WebSocket"],
  ["crypto.getRandomValues", crypto, "getRandomValues"],
  ["crypto.randomUUID", crypto, "randomUUID"],
];

/** Guards until the returned function is called. */
export function guard(noticed: (violation: Violation) => void): () => void {
  const notice = (what: string): void => {
    const where = (new Error().stack ?? "").split("\n").slice(3, 8).join("\n");
    noticed({ what, where });
  };
  const undo = WATCHED.map(([what, object, key]) => watch(what, object, key, notice));
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

/** `new Date()` is the real time; `new Date(ms)` is not. */
function watchDate(notice: (what: string) => void): () => void {
  const real = globalThis.Date;
  globalThis.Date = new Proxy(real, {
    construct(target, args, self) {
      if (args.length === 0) notice("new Date()");
      return Reflect.construct(target, args, self);
    },
    apply() {
      notice("Date()");
      return real();
    },
  });
  return () => {
    globalThis.Date = real;
  };
}
