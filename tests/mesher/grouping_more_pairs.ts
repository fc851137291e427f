/**
 * More pairs of events, each with whether both belong to one issue: pairs of messages, files,
 * functions and classes.
 */
import type { Pair, SentryEvent } from "./grouping_pairs.ts";

type Texts = readonly (readonly [a: string, b: string])[];

const MESSAGES_SAME: Texts = [
  ["due Sun Nov  6 08:49:37 1994", "due Mon Dec 17 09:50:38 2001"],
  ["at [10/Oct/2000:13:55:36 -0700] x", "at [11/Nov/2001:14:56:37 +0100] x"],
  ["timeout after 1m30.5s", "timeout after 2h3m4s"],
  ["took 35ms", "took 1.2s"],
  ["value 1.5e-10 is too small", "value 3.2e+7 is too small"],
  ["pod api-7d9c8b6f5d-x2x9q is gone", "pod api-5f6b7c8d9e-abcde is gone"],
  ["device 00:1A:2B:3C:4D:5E is gone", "device 0a-ff-2b-3c-4d-99 is gone"],
  ["doc V1StGXR8_Z5jdHi6B-myT is gone", "doc IRFa-VaY2b3cD9eFgHiJk is gone"],
  ["order 01ARZ3NDEKTSV4RRFFQ69G5FAV", "order 01BX5ZZKBKACTAV9WEVGEMMVRZ"],
  ["cannot open /home/ada/x.txt", "cannot open /home/bob/x.txt"],
  ["cannot open C:\\Users\\ada\\x", "cannot open C:\\Users\\bob\\x"],
  ["GET /search?q=abc failed", "GET /search?q=xyz&page=2 failed"],
  ["Key (email)=(a@b.example) exists", "Key (email)=(c) exists"],
  ["no user ‘ada’", "no user ‘bob’"],
  ["用户「张三」", "用户「李四」"],
  ["failed for the 1st time", "failed for the 2nd time"],
  ["at 2026-01-31 12:00:00 +0100 CET", "at 2026-02-01 13:30:00 +0000 UTC"],
  [`bad value "a\\"b" here`, `bad value "c" here`],
  ["needs version 1.2.3", "needs version 2.10.0-beta.1"],
  ["INSERT INTO t VALUES ('it''s', 1)", "INSERT INTO t VALUES ('x', 2)"],
  ["SELECT 1 WHERE k IN ('a', 'b')", "SELECT 1 WHERE k IN ('c')"],
  ["SELECT 1 WHERE n IN (1,2,3)", "SELECT 1 WHERE n IN (7)"],
  ["SELECT 1 WHERE n IN ($1, $2)", "SELECT 1 WHERE n IN ($1, $2, $3)"],
  ["INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (1, 'a'), (2, 'b')"],
  [
    "undefined is not an object (evaluating 'e.size')",
    "undefined is not an object (evaluating 't.size')",
  ],
  ["a.load is not a function", "o.load is not a function"],
  ["v1.2.3-beta.1 is unsupported", "v2.0.0 is unsupported"],
];

const MESSAGES_DIFFERENT: Texts = [
  ["Duplicate entry 'a' for key 'users.email'", "Duplicate entry 'a' for key 'orders.no'"],
  ["GET /home failed", "GET /users failed"],
  ["GET /users/search failed", "GET /users/list failed"],
  ["SELECT a FROM t", "SELECT a FROM u"],
  ["a.load is not a function", "a.save is not a function"],
  ["cart is not a function", "shop is not a function"],
];

const FILES_SAME: Texts = [
  ["webpack-internal:///(rsc)/./src/a.tsx", "webpack://shop/src/a.tsx"],
  [
    "/home/ci/.cargo/registry/src/index.crates.io-6f17d22bba15001f/serde-1.0.200/src/de.rs",
    "/usr/local/cargo/registry/src/github.com-1ecc6299db9ec823/serde-1.0.201/src/de.rs",
  ],
  ["/root/go/pkg/mod/x.ex/y@v1.2.3/a.go", "/home/ada/go/pkg/mod/x.ex/y@v1.3.0/a.go"],
  ["/opt/v1/lib/python3.11/site-packages/x/a.py", "/srv/lib64/python3.12/site-packages/x/a.py"],
  ["/assets/vendor.react-BxK2mPq7.js", "/assets/vendor.react-C9aLw0zR.js"],
  ["/_nuxt/BmWJk2vA.js", "/_nuxt/Dp0ZyT4q.js"],
  ["https://a.ex/main-QX3ZTR7P.js", "https://a.ex/main-ABCDEF12.js"],
  ["https://a.ex/chunk-KDJHFUWE.js", "https://a.ex/chunk-PLOQZXVB.js"],
  ["/root/go/pkg/mod/x.ex/y@v1.2.3/run.go", "/root/go/pkg/mod/x.ex/y@v1.2.9/run.go"],
  ["/usr/gems/rack-2.2.3/lib/rack.rb", "/usr/gems/rack-2.2.8/lib/rack.rb"],
  ["/usr/lib/python3.11/json/a.py", "/usr/lib/python3.12/json/a.py"],
  ["/tmp/_MEIAbC123/app/a.py", "/tmp/_MEIzZ9x8Y/app/a.py"],
  ["/tmp/ipykernel_11/1231.py", "/tmp/ipykernel_99/77.py"],
  ["/home/ada/shop/a.py", "/home/bob/shop/a.py"],
  ["/static/version1612345678/a.js", "/static/version1698765432/a.js"],
  ["/srv/app-2026-01-31/a.rb", "/srv/app-2026-02-28/a.rb"],
  ["/app/var/cache/prod/ContainerAb3Xy9Z/x.php", "/app/var/cache/prod/ContainerQw7Er5T/x.php"],
];

const FILES_DIFFERENT: Texts = [
  ["/_nuxt/Settings.js", "/_nuxt/Profiles.js"],
  ["/assets/a.js", "/assets/b.js"],
  ["/home/ada/shop/a.py", "/home/ada/shop/b.py"],
];

const FUNCTIONS_SAME: Texts = [
  ["app[1d3c5b7a9e8f0a1b]::run", "app[aaaac5b7a9e8f0a1]::run"],
  ["Cart.add [as onClick]", "Cart.add"],
  ["main.(*Server).Run.func1", "main.(*Server).Run.func2.1"],
  ["Map[...]", "Map[go.shape.int_0]"],
  ["block in run", "block (2 levels) in run"],
  ["_app_a_html_erb__2352466217896379893_47680", "_app_a_html_erb___1160459293864213483_23880"],
  ["-run/2-fun-0-", "-run/2-fun-1-"],
  ["<Run>g__Local|3_0", "<Run>g__Local|5_2"],
  ["run@12-1", "run@45-2"],
  ["run.part.12.isra.3", "run.cold"],
  ["run()::{lambda(int)#1}::operator()(int)", "run()::{lambda(int)#2}::operator()(int)"],
  ["app::<lambda_1f2e3d4c5b6a7980>::operator()", "app::<lambda_0011223344556677>::operator()"],
  ["closure #1 in Page.tap()", "closure #2 in Page.tap()"],
  ["__32-[A run]_block_invoke", "__32-[A run]_block_invoke_2"],
  ["main::__ANON__[a.pl:10]", "main::__ANON__[a.pl:99]"],
  ["run/<", "run/</<"],
  ["run$_closure1", "run$_closure2"],
];

const CLASSES_SAME: Texts = [
  [
    "java.lang.invoke.LambdaForm$MH/0x0000000800c1",
    "java.lang.invoke.LambdaForm$MH/0x0000000801aa",
  ],
  ["x.example/y@v1.2.3", "x.example/y@v1.2.4"],
  ["com.ex.S$ByteBuddy$aB3dEf9h", "com.ex.S$ByteBuddy$Zx8yWv1u"],
  ["com.ex.S$HibernateProxy$aB3dEf9h", "com.ex.S$HibernateProxy$Zx8yWv1u"],
  ["jdk.proxy2.$Proxy87", "jdk.proxy3.$Proxy112"],
  ["com.ex.S$$SpringCGLIB$$0", "com.ex.S$$SpringCGLIB$$1"],
  ["App.Svc+<Run>d__4", "App.Svc+<Run>d__7"],
];

const CLASSES_DIFFERENT: Texts = [
  ["App.Svc+<Run>d__4", "App.Svc+<Stop>d__4"],
  ["com.ex.A$Inner", "com.ex.A$Other"],
];

const thrown = (...frames: object[]): SentryEvent => ({
  exception: {
    values: [{ type: "E", value: "v", stacktrace: { frames } }],
  },
});

const inBundle = (name: string) =>
  thrown({ filename: "/assets/index-B7xKq9Zf.js", function: name, in_app: true });
const MINIFIED_SAME: Texts = [
  ["Object.t", "Object.e"],
  ["new Qt", "new Rn"],
  ["ea.render", "tn.render"],
  ["$t", "a12"],
];
const MINIFIED_DIFFERENT: Texts = [["ea.render", "ea.update"], ["Cart.add", "Shop.add"]];

/** Returns an exception group whose members have these types. */
const members = (...types: string[]): SentryEvent => ({
  exception: {
    values: [
      ...types.map((type) => ({ type, value: "v" })),
      { type: "ExceptionGroup", value: "g", mechanism: { is_exception_group: true } },
    ],
  },
});
/** Returns the exception that JavaScript SDKs send for a thrown value that is not an error. */
const thrownValue = (value: string, type?: string): SentryEvent => ({
  platform: "node",
  ...(type === undefined ? { message: value } : {}),
  exception: {
    values: [{
      ...{ type, value, mechanism: { type: "generic", synthetic: true } },
      stacktrace: { frames: [{ filename: "a.js", function: "?", in_app: true }] },
    }],
  },
});

const pairs = (
  kind: string,
  isSame: boolean,
  texts: Texts,
  eventOf: (text: string) => SentryEvent,
): Pair[] =>
  texts.map(([a, b]) => ({ name: `${kind} ${a}`, isSame, a: eventOf(a), b: eventOf(b) }));

const says = (message: string): SentryEvent => ({ message });
const inFile = (filename: string) => thrown({ filename, function: "onClick", in_app: true });
const inFunction = (name: string) => thrown({ filename: "a", function: name, in_app: true });
const inClass = (module: string) => thrown({ module, function: "run", in_app: true });
const cause = { type: "V", value: "v", stacktrace: { frames: [{ function: "f" }] } };
const group = (count: number): SentryEvent => ({
  exception: {
    values: [...Array(count).fill(cause), { type: "Group", value: `errors (${count} of them)` }],
  },
});

/** Further pairs, for the same tests as `PAIRS`. */
export const MORE_PAIRS: readonly Pair[] = [
  ...pairs("message", true, MESSAGES_SAME, says),
  ...pairs("message", false, MESSAGES_DIFFERENT, says),
  ...pairs("file", true, FILES_SAME, inFile),
  ...pairs("file", false, FILES_DIFFERENT, inFile),
  ...pairs("function", true, FUNCTIONS_SAME, inFunction),
  ...pairs("class", true, CLASSES_SAME, inClass),
  ...pairs("class", false, CLASSES_DIFFERENT, inClass),
  ...pairs("minified", true, MINIFIED_SAME, inBundle),
  ...pairs("minified", false, MINIFIED_DIFFERENT, inBundle),
  {
    name: "a group in another order",
    isSame: true,
    a: members("A", "B", "A"),
    b: members("B", "A"),
  },
  { name: "another member", isSame: false, a: members("A", "B"), b: members("A", "C") },
  {
    name: "messages with a stack",
    ...{ isSame: false, a: thrownValue("disk is full"), b: thrownValue("no network") },
  },
  {
    name: "thrown texts",
    ...{ isSame: false, a: thrownValue("no key", "Error"), b: thrownValue("no door", "Error") },
  },
  { name: "a group of equal exceptions", isSame: true, a: group(2), b: group(3) },
  {
    name: "native code of another library",
    isSame: false,
    a: thrown({ instruction_addr: "0x10", package: "/lib/a.so" }),
    b: thrown({ instruction_addr: "0x20", package: "/lib/b.so" }),
  },
];
