/**
 * A program that reports its errors by a genuine Sentry SDK: `<specifier> <dsn>`. Ends with 3 when the SDK
 * cannot be had. The specifier is an argument, so that nothing here depends on the package.
 */
import process from "node:process";

const [specifier, dsn] = process.argv.slice(2) as [string, string];
// deno-lint-ignore no-explicit-any -- of another program
let sentry: any;
try {
  sentry = await import(specifier);
} catch (error) {
  process.stderr.write(`${specifier} cannot be had: ${(error as Error).message}\n`);
  process.exit(3);
}

class BasketError extends Error {
  override name = "BasketError";
}

function emptyTheBasket(count: number): never {
  throw new BasketError(`cannot empty ${count} baskets`);
}

sentry.init({
  dsn,
  release: "shop@1.2.3",
  environment: "staging",
  sendDefaultPii: false,
  defaultIntegrations: false,
});
sentry.setTag("checkout", "yes");
sentry.setUser({ id: "42", email: "eva@example.org" });
sentry.addBreadcrumb({ category: "ui", message: "pressed the button", level: "info" });
let id = "";
try {
  emptyTheBasket(3);
} catch (error) {
  id = sentry.captureException(error);
}
const message = sentry.captureMessage("a plain message", "warning");
const isFlushed = await sentry.flush(10_000);
process.stdout.write(JSON.stringify({ id, message, isFlushed, version: sentry.SDK_VERSION }));
process.exit(0);
