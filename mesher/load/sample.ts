/**
 * Generates realistic events.
 *
 * @module
 */

/**
 * The kinds of errors: each with its type, a function that returns the message, and its location.
 */
const FAULTS: readonly (readonly [string, (n: number) => string, readonly string[]])[] = [
  ["TypeError", () => "Cannot read properties of undefined (reading 'total')", [
    "src/server.ts:handle",
    "src/checkout/basket.ts:sum",
  ]],
  ["TimeoutError", (n) => `Payment provider did not answer within ${n % 30_000} ms`, [
    "src/server.ts:handle",
    "src/payment/client.ts:charge",
    "src/payment/retry.ts:attempt",
  ]],
  ["PostgresError", (n) => `duplicate key value violates unique constraint, Key (id)=(${n})`, [
    "src/jobs/import.ts:run",
    "src/db/query.ts:insert",
  ]],
  ["ValidationError", (n) => `Field "postcode" of order ${n} is not valid`, [
    "src/server.ts:handle",
    "src/orders/validate.ts:check",
  ]],
  ["RangeError", () => "Invalid time value", ["src/reports/daily.ts:render"]],
  ["ConnectionError", (n) => `connect ECONNREFUSED 10.0.0.${n % 255}:6379`, [
    "src/cache/client.ts:open",
  ]],
];

const ENVIRONMENTS = ["production", "production", "production", "staging"];
const RELEASES = ["shop@2.4.0", "shop@2.4.1", "shop@2.5.0-rc1"];
const BROWSERS = ["Firefox 145", "Chrome 142", "Safari 19", "Edge 142"];

/** Returns an event. `random` returns a number in [0, 1). */
export function sampleEvent(random: () => number): Record<string, unknown> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const number = Math.floor(random() * 1_000_000);
  const common = {
    environment: pick(ENVIRONMENTS),
    release: pick(RELEASES),
    platform: "javascript",
    server_name: `web-${1 + number % 4}`,
    user: { id: String(number % 5_000) },
    tags: {
      browser: pick(BROWSERS),
      region: pick(["eu", "us", "asia"]),
      plan: pick(["free", "pro"]),
    },
    breadcrumbs: [
      { category: "navigation", message: "/basket", level: "info" },
      { category: "http", message: `POST /api/orders/${number}`, data: { status: 500 } },
    ],
    sdk: { name: "mesher.load", version: "1" },
  };
  if (random() < 0.15) {
    const level = pick(["info", "warning", "debug"]);
    return { ...common, level, message: `Job import took ${number % 9_000} ms` };
  }
  const [type, value, places] = pick(FAULTS);
  return {
    ...common,
    level: random() < 0.05 ? "fatal" : "error",
    transaction: "POST /api/orders",
    exception: {
      type,
      value: value(number),
      handled: random() < 0.5,
      stacktrace: places.map((place, i) => {
        const [file, name] = place.split(":");
        return { file, function: name, line: 20 + i * 17, column: 5, in_app: true };
      }),
    },
  };
}
