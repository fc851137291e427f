/**
 * Samples for the benches of terms: a small message, and an event as sent to Mesher, 644 bytes of
 * JSON.
 */

/** A small message. */
export const SMALL: Readonly<Record<string, unknown>> = { type: "inc", by: 1 };

/** An error event. */
export const EVENT: Readonly<Record<string, unknown>> = {
  event_id: "9f2c1a7be03d4c0a8b1e6d5f4c3b2a19",
  timestamp: 1731999999.123,
  level: "error",
  platform: "javascript",
  environment: "production",
  release: "web@2.14.3",
  logger: "app.checkout",
  tags: { browser: "Chrome 131", os: "Linux", region: "eu-west-1" },
  user: { id: 48213, email: "alice@example.com", ip: "203.0.113.7", premium: true },
  exception: {
    type: "TypeError",
    value: "Cannot read properties of undefined (reading 'total')",
    stack: [
      { fn: "renderCart", file: "cart.tsx", line: 142, col: 17, inApp: true },
      { fn: "commitHook", file: "react-dom.js", line: 23011, col: 5, inApp: false },
    ],
  },
  extra: { retries: 3, cart: null, latencyMs: 187.25 },
};
