/** Pairs of events that belong to one issue or to two issues, for the tests of `fingerprint.ts`. */

/** An event in Sentry's form. */
export type SentryEvent = Readonly<Record<string, unknown>>;

/** Two events, and whether they belong to one issue. */
export interface Pair {
  readonly name: string;
  readonly isSame: boolean;
  readonly a: SentryEvent;
  readonly b: SentryEvent;
}

interface Line {
  readonly file?: string;
  readonly fn?: string;
  readonly module?: string;
  readonly line?: string;
  readonly no?: number;
  readonly app?: boolean;
}

const frame = ({ file, fn, module, line, no, app = true }: Line): SentryEvent => ({
  filename: file,
  function: fn,
  module,
  context_line: line,
  lineno: no,
  in_app: app,
});

const thrown = (type: string, value: string, ...lines: Line[]): SentryEvent => ({
  type,
  value,
  stacktrace: { frames: lines.map(frame) },
});

const chain = (...values: SentryEvent[]): SentryEvent => ({ exception: { values } });
const error = (type: string, value: string, ...lines: Line[]): SentryEvent =>
  chain(thrown(type, value, ...lines));
const inFile = (file: string, fn = "onClick"): SentryEvent =>
  error("TypeError", "x is null", { file, fn });
const at = (fn: string, module = "com.example.A"): SentryEvent =>
  error("IllegalStateException", "n", { file: "A.java", fn, module });
const says = (message: string): SentryEvent => ({ message });
const log = (message: string, params: unknown, formatted?: string): SentryEvent => ({
  logentry: { message, params, formatted },
});
const repeat = (count: number, ...names: string[]): Line[] =>
  Array.from({ length: count }, (_, i) => ({ file: "a.js", fn: names[i % names.length]! }));
const main: Line = { file: "a.js", fn: "main" };

const same = (name: string, a: SentryEvent, b: SentryEvent): Pair => ({ name, isSame: true, a, b });
const different = (name: string, a: SentryEvent, b: SentryEvent): Pair => ({
  ...{ name, isSame: false, a, b },
});
const handle = (value: string, line?: string, no = 1): SentryEvent =>
  error("Error", value, { file: "app.js", fn: "handle", no, ...(line ? { line } : {}) });

/** Pairs of events for the tests of grouping. */
export const PAIRS: readonly Pair[] = [
  // Different errors that the same function throws.
  different(
    "another type",
    handle("v"),
    error("RangeError", "v", { file: "app.js", fn: "handle" }),
  ),
  different("another value", handle("no quantity"), handle("no address")),
  different(
    "another line of source",
    handle("a", "throw new Error('a')"),
    handle("b", "throw new Error('b')"),
  ),
  different(
    "a throw over two lines",
    handle("a", "throw new Error("),
    handle("b", "throw new Error("),
  ),
  different("what is thrown again", handle("a", "throw error;"), handle("b", "throw error;")),
  different(
    "another property",
    handle("undefined (reading 'id')"),
    handle("undefined (reading 'name')"),
  ),
  different(
    "another attribute",
    handle("'NoneType' object has no attribute 'id'"),
    handle("'NoneType' object has no attribute 'name'"),
  ),
  different("another name", handle("name 'a' is not defined"), handle("name 'b' is not defined")),
  different("another function", inFile("a.js", "f1"), inFile("a.js", "g1")),
  different("another file", inFile("src/a.js"), inFile("src/b.js")),
  same("another line number", handle("v", undefined, 10), handle("v", undefined, 99)),
  same("another id", handle("no user 17"), handle("no user 18")),
  same("another key", handle('no key "ada"'), handle('no key "bob"')),
  same(
    "other data, one line",
    handle("no user ada", "raise NotFound(f'no user {name}')"),
    handle("no user bob", "raise NotFound(f'no user {name}')"),
  ),
  same(
    "other data, one call",
    handle("Unexpected token a", "const value = JSON.parse(text);"),
    handle("Unexpected token b", "const value = JSON.parse(text);"),
  ),
  same(
    "other indentation",
    handle("v", "  throw new Error('v');"),
    handle("v", "\tthrow  new Error('v');"),
  ),
  same(
    "another library below",
    error("E", "v", main, { file: "lib.js", fn: "x", app: false }),
    error("E", "v", main, { file: "lib.js", fn: "y", app: false }),
  ),
  // The same code in different builds and on different machines.
  same(
    "Vite",
    inFile("https://a.ex/assets/index-DiwrgTda.js"),
    inFile("https://a.ex/assets/index-B7xKq9Zf.js"),
  ),
  same(
    "Vite, with - and _",
    inFile("/assets/index-D_wr-Tda.js"),
    inFile("/assets/index-B7_Kq-Zf.js"),
  ),
  same(
    "Vite, another dot",
    inFile("/assets/index.DiwrgTda.js"),
    inFile("/assets/index.B7xKq9Zf.js"),
  ),
  same(
    "webpack",
    inFile("/static/js/main.8f3e2a1c.chunk.js"),
    inFile("/static/js/main.1b2c3d4e.chunk.js"),
  ),
  same("webpack, six digits", inFile("/js/app.8f3e2a.js"), inFile("/js/app.1b2c3d.js")),
  same(
    "Next, a chunk",
    inFile("app:///_next/static/chunks/pages/index-1a2b3c4d5e6f7a8b.js"),
    inFile("app:///_next/static/chunks/pages/index-ffeeddccbbaa0099.js"),
  ),
  same(
    "Next, a build",
    inFile("/_next/static/AbCdEf012345/pages/a.js"),
    inFile("/_next/static/XyZ987abcdefg/pages/a.js"),
  ),
  same(
    "Next, a numbered chunk",
    inFile("/_next/static/chunks/2117-63eb4b1a8d36a4e6.js"),
    inFile("/_next/static/chunks/845-11bb4b1a8d36a4e7.js"),
  ),
  same(
    "blob:",
    inFile("blob:https://a.ex/550e8400-e29b-41d4-a716-446655440000"),
    inFile("blob:https://a.ex/6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
  ),
  same("a query", inFile("/a.js?v=1"), inFile("/a.js?v=2")),
  same("another host", inFile("https://cdn1.ex/a.js"), inFile("https://cdn2.ex/a.js")),
  same(
    "a release's folder",
    inFile("/srv/releases/20260101/a.rb"),
    inFile("/srv/releases/20260202/a.rb"),
  ),
  same("a package's version", inFile("/x/react@18.2.0/a.js"), inFile("/x/react@18.3.1/a.js")),
  same(
    "minified names",
    inFile("/assets/index-DiwrgTda.js", "t"),
    inFile("/assets/index-B7xKq9Zf.js", "e"),
  ),
  different(
    "a word that is not a hash",
    inFile("/assets/user-settings.js"),
    inFile("/assets/user-profiles.js"),
  ),
  different(
    "a camel-case name that is not a hash",
    inFile("/assets/x-DropdownList.js"),
    inFile("/assets/x-MenuItemRows.js"),
  ),
  // Names that the compilers of several languages generate.
  same("Java, a lambda", at("lambda$run$0"), at("lambda$run$1")),
  same(
    "Java, a lambda's class",
    at("run", "com.example.A$$Lambda$14/0x0008"),
    at("run", "com.example.A$$Lambda$99/0x0abc"),
  ),
  same(
    "Java, CGLIB",
    at("run", "A$$EnhancerBySpringCGLIB$$1a2b3c"),
    at("run", "A$$EnhancerBySpringCGLIB$$9f8e7d"),
  ),
  same("Java, a proxy", at("run", "com.sun.proxy.$Proxy12"), at("run", "com.sun.proxy.$Proxy40")),
  same(
    "Java, reflection",
    at("invoke", "jdk.GeneratedMethodAccessor12"),
    at("invoke", "jdk.GeneratedMethodAccessor7"),
  ),
  same("Kotlin, a lambda", at("invoke$lambda$3"), at("invoke$lambda$4")),
  different("Java, another method", at("lambda$run$0"), at("lambda$stop$0")),
  different("Java, another class", at("run"), at("run", "com.example.B")),
  same("Rust", at("app::run::h0123456789abcdef"), at("app::run::hfedcba9876543210")),
  same("C#, a closure", at("<Run>b__12_0"), at("<Run>b__14_1")),
  same("PHP, a class without a name", at("x@anonymous\0/a.php:3$0"), at("x@anonymous\0/a.php:9$1")),
  same("Go, a closure", at("main.run.func1"), at("main.run.func2")),
  // Messages with parts that differ between events.
  same("a URL", says("GET https://a.ex/u/alpha failed"), says("GET https://a.ex/u/beta failed")),
  same("IPv4", says("no route to 10.0.0.1"), says("no route to 10.9.8.7")),
  same("IPv6", says("no route to 2001:db8::1"), says("no route to fe80::1:2%eth0")),
  same("IPv6 with a port", says("refused [::1]:80"), says("refused [2001:db8::2]:443")),
  same("a date in words", says("due Mon, 30 Nov 2026"), says("due Tue, 1 Dec 2026")),
  same("a date in words, American", says("due November 30, 2026"), says("due March 1, 2027")),
  same(
    "a date in the format of JavaScript",
    says("due Mon Nov 30 2026 10:04:40 GMT+0100 (Central European Standard Time)"),
    says("due Tue Dec 01 2026 11:00:00 GMT+0000 (Coordinated Universal Time)"),
  ),
  same("a weekday", says("no job on Monday"), says("no job on Tuesday")),
  same("ISO 8601", says("at 2026-01-31T12:00:00.123Z"), says("at 2026-02-01T00:00:00Z")),
  same(
    "a UUID",
    says("no 550e8400-e29b-41d4-a716-446655440000"),
    says("no 6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
  ),
  same("letters and digits", says("order A1B2C3 is gone"), says("order Z9Y8X7 is gone")),
  same("a number below zero", says("took -5 s"), says("took 7 s")),
  same("an address of mail", says("mail to a@b.example"), says("mail to x.y@z.example")),
  different("other words", says("disk is full"), says("disk is slow")),
  different(
    "apostrophes that are not quotes",
    says("can't read, don't wait"),
    says("can't write, don't wait"),
  ),
  same(
    "a template",
    log("user %s failed", ["ada"], "user ada failed"),
    log("user %s failed", ["bob"], "user bob failed"),
  ),
  same(
    "a template without its text",
    log("user %s failed", ["ada"]),
    log("user %s failed", ["bob"]),
  ),
  different("another template", log("user %s failed", ["ada"]), log("job %s failed", ["ada"])),
  // Chains of causes, and recursion.
  different(
    "another cause",
    chain(thrown("KeyError", "k", { fn: "b" }), thrown("TaskFailed", "f", { fn: "w" })),
    chain(thrown("Timeout", "k", { fn: "b" }), thrown("TaskFailed", "f", { fn: "w" })),
  ),
  different(
    "with and without a cause",
    chain(thrown("KeyError", "k", { fn: "b" }), thrown("TaskFailed", "f", { fn: "w" })),
    chain(thrown("TaskFailed", "f", { fn: "w" })),
  ),
  same(
    "deep recursion",
    error("E", "v", main, ...repeat(5, "rec")),
    error("E", "v", main, ...repeat(900, "rec")),
  ),
  same(
    "recursion of two functions",
    error("E", "v", main, ...repeat(6, "a1", "b1")),
    error("E", "v", main, ...repeat(401, "a1", "b1")),
  ),
  different(
    "another recursion",
    error("E", "v", main, ...repeat(9, "a1")),
    error("E", "v", main, ...repeat(9, "b1")),
  ),
  // Fingerprints that the client sets.
  different("{{ transaction }}", {
    ...says("m"),
    transaction: "/a",
    fingerprint: ["{{ transaction }}"],
  }, { ...says("m"), transaction: "/b", fingerprint: ["{{ transaction }}"] }),
  different("{{ type }}", { ...error("A", "v"), fingerprint: ["{{ type }}"] }, {
    ...error("B", "v"),
    fingerprint: ["{{type}}"],
  }),
  same("{{ type }} of other frames", { ...handle("v"), fingerprint: ["{{ type }}"] }, {
    ...error("Error", "w"),
    fingerprint: ["{{ type }}"],
  }),
  same("a text of its own", { ...says("a"), fingerprint: ["x"] }, {
    ...says("b"),
    fingerprint: ["x"],
  }),
  // Crashes reported by the platform: exceptions with a synthetic mechanism, and crashed threads.
  same(
    "another name of a signal",
    chain({
      ...thrown("SIGSEGV", "Segfault", { fn: "boom" }),
      mechanism: { type: "signal", synthetic: true },
    }),
    chain({
      ...thrown("EXC_BAD_ACCESS", "Bad", { fn: "boom" }),
      mechanism: { type: "mach", synthetic: true },
    }),
  ),
  different(
    "a signal in another function",
    chain({
      ...thrown("SIGSEGV", "Segfault", { fn: "boom" }),
      mechanism: { type: "signal", synthetic: true },
    }),
    chain({
      ...thrown("SIGSEGV", "Segfault", { fn: "bang" }),
      mechanism: { type: "signal", synthetic: true },
    }),
  ),
  different(
    "a thread that crashed elsewhere",
    {
      message: "crash",
      threads: {
        values: [{ stacktrace: { frames: [frame(main)] } }, {
          crashed: true,
          stacktrace: { frames: [{ function: "boom" }] },
        }],
      },
    },
    {
      message: "crash",
      threads: {
        values: [{ stacktrace: { frames: [frame(main)] } }, {
          crashed: true,
          stacktrace: { frames: [{ function: "bang" }] },
        }],
      },
    },
  ),
];
