import { assertEquals, assertThrows } from "@std/assert";
import { nodeOptionsFromEnv } from "../../lib/env.ts";
import { NodeOptionError } from "../../lib/node_options.ts";
import { test } from "../kit/test.ts";

test("nodeOptionsFromEnv reads every variable, and omits unset options", () => {
  assertEquals(nodeOptionsFromEnv({}), {});
  assertEquals(nodeOptionsFromEnv({ FIRN_NAME: "", FIRN_SEEDS: "  " }), {});
  assertEquals(
    nodeOptionsFromEnv({
      FIRN_NAME: "a@10.0.0.7:9000",
      FIRN_COOKIE: "next, current",
      FIRN_COOKIE_FILE: "/run/secrets/firn",
      FIRN_SEEDS: "*@firn.svc:9000, b@h:1 c@h:2",
      FIRN_LISTEN: "0.0.0.0:9100",
    }),
    {
      name: "a@10.0.0.7:9000",
      cookie: ["next", "current"],
      cookieFile: "/run/secrets/firn",
      seeds: ["*@firn.svc:9000", "b@h:1", "c@h:2"],
      listen: { hostname: "0.0.0.0", port: 9100 },
    },
  );
});

test("nodeOptionsFromEnv accepts a listen address with or without a port", () => {
  const listens = [
    ["0.0.0.0", { hostname: "0.0.0.0" }],
    ["[::]", { hostname: "::" }],
    ["[::]:9000", { hostname: "::", port: 9000 }],
  ] as const;
  for (const [FIRN_LISTEN, listen] of listens) {
    assertEquals(nodeOptionsFromEnv({ FIRN_LISTEN }).listen, listen);
  }
  for (const FIRN_LISTEN of ["::", "host:99999", "a b"]) {
    assertThrows(() => nodeOptionsFromEnv({ FIRN_LISTEN }), NodeOptionError, "FIRN_LISTEN");
  }
});
