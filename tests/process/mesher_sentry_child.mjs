/**
 * A program that reports its errors through a real Sentry SDK: `<package> <dsn>`. The package is a
 * specifier for Deno, or for Node a file at which the search for `@sentry/node` starts, so that
 * nothing here depends on it. Exits with 3 if the SDK is not available. It is JavaScript because
 * Node runs it too.
 */
import { createRequire } from "node:module";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [name, dsn] = process.argv.slice(2);
let sentry;
try {
  const found = name.startsWith("/")
    ? pathToFileURL(createRequire(name).resolve("@sentry/node")).href
    : name;
  sentry = await import(found);
} catch (error) {
  process.stderr.write(`${name} is not available: ${error.message}\n`);
  process.exit(3);
}

class BasketError extends Error {
  name = "BasketError";
}

function emptyTheBasket(count) {
  throw new BasketError(`cannot empty ${count} baskets`);
}

sentry.init({ dsn, release: "shop@1.2.3", environment: "staging", sendDefaultPii: false });
sentry.setTag("checkout", "yes");
sentry.setUser({ id: "42", email: "eva@example.org" });
sentry.addBreadcrumb({ category: "ui", message: "opened the shop", level: "info" });
sentry.addBreadcrumb({ category: "ui", message: "pressed the button", level: "info" });
let id = "";
try {
  emptyTheBasket(3);
} catch (error) {
  id = sentry.captureException(error);
}
const message = sentry.captureMessage("a plain message", "warning");
// Reports an event so large that the SDKs that can compress do so.
const long = sentry.captureException(new BasketError("a long one"), {
  extra: { basket: Array.from({ length: 4000 }, (_, i) => `plum ${i}`).join(", ") },
});
const isFlushed = await sentry.flush(10_000);
process.stdout.write(JSON.stringify({ id, message, long, isFlushed }));
process.exit(0);
