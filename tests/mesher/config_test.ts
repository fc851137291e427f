/**
 * Tests the configuration of a node: the invalid values of each setting, and the error message for
 * each.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Config,
  ConfigError,
  type Environment,
  HELP,
  readCommand,
  readConfig,
} from "../../mesher/config.ts";
import { portsOf } from "../../mesher/ports.ts";
import { test } from "../kit/test.ts";

const NODE = { MESHER_NODE_NAME: "a@127.0.0.1:9100", MESHER_COOKIE: "a cookie" };

function config(env: Environment): Config {
  return readConfig(env, { memory: false });
}

/** Returns the error message, and asserts that it is one line. */
function refusal(body: () => unknown): string {
  const { message } = assertThrows(body, ConfigError);
  assert(!message.includes("\n"), message);
  return message;
}

test("readConfig explains in one sentence for each setting what is wrong and what to write instead", () => {
  const grid: [Environment, RegExp][] = [
    ...["0x50", "-1", "65536", "http", "80.5", "8e3", " "].flatMap((port) =>
      ["MESHER_HTTP_PORT", "MESHER_WS_PORT"].map((name): [Environment, RegExp] => [
        { [name]: port },
        new RegExp(`^${name} is ".*": use a whole number from 0 to 65535$`),
      ])
    ),
    [{ MESHER_HTTP_PORT: "9000", MESHER_WS_PORT: "9000" }, /use two ports$/],
    [{ MESHER_WS_PORT: "8080" }, /^MESHER_WS_PORT is 8080, as MESHER_HTTP_PORT is/],
    [{ MESHER_NODE_NAME: "a@h:1" }, /^MESHER_NODE_NAME is set: set MESHER_COOKIE too$/],
    [{ MESHER_COOKIE: "c" }, /^MESHER_COOKIE is set: set MESHER_NODE_NAME too$/],
    [
      { MESHER_PEERS: "a@h:1" },
      /^MESHER_PEERS is set: set MESHER_NODE_NAME and MESHER_COOKIE too$/,
    ],
    ...["a", "a@h", "@h:1", "a@h:", "a@h:65536", "a b@h:1", "a@h:-1"].flatMap((name) =>
      [
        [{ ...NODE, MESHER_NODE_NAME: name }, /^MESHER_NODE_NAME has ".*": write name@host:port$/],
        [
          { ...NODE, MESHER_PEERS: `b@h:1,${name}` },
          /^MESHER_PEERS has ".*": write name@host:port$/,
        ],
      ] as [Environment, RegExp][]
    ),
    [{ DATABASE_URL: "mysql://h/d" }, /^DATABASE_URL begins with mysql:\/\/: use postgres:\/\/…/],
    ...["postgres://", "postgres://u:p@h:port/d", "postgresql://u:p@h:99999/d"].map((
      url,
    ): [Environment, RegExp] => [
      { DATABASE_URL: url },
      /^DATABASE_URL is not a valid URL: write post/,
    ]),
    ...["0", "-5", "many", "1.5", "1000000001"].flatMap((value) =>
      ["MESHER_RATE_LIMIT", "MESHER_LOAD_THRESHOLD"].map((name): [Environment, RegExp] => [
        { [name]: value },
        new RegExp(`^${name} is "${value}": use a whole number from 1 to 1000000000$`),
      ])
    ),
    ...["yes", "2", "true"].map((value): [Environment, RegExp] => [
      { MESHER_SECURE_COOKIES: value },
      /^MESHER_SECURE_COOKIES is ".*": use a whole number from 0 to 1$/,
    ]),
    ...["10.0.0.0/33", "http://hooks.lan", "*"].map((value): [Environment, RegExp] => [
      { MESHER_WEBHOOK_ALLOW: `hooks.lan, ${value}` },
      /^MESHER_WEBHOOK_ALLOW has ".*": write a host's name, an address or a range/,
    ]),
    ...["10.0.0.0/33", "proxy.lan", "10.0.0.1:80", "1", "true"].map((
      value,
    ): [Environment, RegExp] => [
      { MESHER_PROXIES: `10.0.0.1, ${value}` },
      /^MESHER_PROXIES has "[^,]*": write an address or a range such as 10\.1\.0\.0\/16$/,
    ]),
  ];
  for (const [env, words] of grid) {
    const message = refusal(() => config(env));
    assert(words.test(message), `${JSON.stringify(env)}: ${message}`);
    assert(!/u:p@/.test(message), "the password is not shown");
  }
});

test("readConfig treats empty values as unset", () => {
  const bare = config({});
  assertEquals(config({ MESHER_HTTP_PORT: "", DATABASE_URL: "", MESHER_PEERS: "" }), bare);
  assertEquals([bare.cluster, bare.hostname, bare.httpPort, bare.wsPort, bare.database], [
    null,
    "127.0.0.1",
    8080,
    null,
    "mesher.db",
  ]);
  assertEquals(bare.proxies, []);
  assertEquals(config({ MESHER_PROXIES: "10.0.0.1, fd00::/8,,[::1]" }).proxies.length, 3);
  const all = "a@127.0.0.1:9100, b@h:1 ,,c@[::1]:9101";
  const { cluster } = config({ ...NODE, MESHER_PEERS: all });
  assertEquals(cluster?.peers, ["b@h:1", "c@[::1]:9101"]);
  for (const url of ["postgres://u:p%40@h:5432/d", "postgresql://h/d", "postgres:///d"]) {
    assertEquals(config({ DATABASE_URL: url }).database, url);
  }
});

test("portsOf assigns distinct ports to each node, and rejects values out of range", () => {
  const of = (env: Environment, count: number) => portsOf(config(env), count);
  assertEquals(of({}, 2), [{ httpPort: 8080, wsPort: null }, { httpPort: 8090, wsPort: null }]);
  assertEquals(of({ MESHER_WS_PORT: "8081" }, 2)[1], { httpPort: 8090, wsPort: 8091 });
  const any = { MESHER_HTTP_PORT: "0", MESHER_WS_PORT: "0" };
  assertEquals(of(any, 2), Array(2).fill({ httpPort: 0, wsPort: 0 }));
  assert(/need ports up to 65540$/.test(refusal(() => of({ MESHER_HTTP_PORT: "65530" }, 2))));
  assert(/another's too$/.test(refusal(() => of({ MESHER_WS_PORT: "8100" }, 3))));
});

test("readCommand rejects unknown arguments, and --help lists every setting", () => {
  assertEquals(readCommand(["--nodes", "3"]), {
    help: false,
    nodes: 3,
    memory: false,
    admin: null,
  });
  assertEquals(readCommand(["--nodes=16", "-h"]), {
    help: true,
    nodes: 16,
    memory: false,
    admin: null,
  });
  const grid: [string[], RegExp][] = [
    [["--nodes"], /^--nodes is "": use a whole number from 1 to 16$/],
    [["--nodes", "17"], /^--nodes is "17"/],
    [["--nodes=x"], /^--nodes is "x"/],
    [["--port", "1"], /^unknown argument "--port": see --help$/],
    [["x\ny"], /^unknown argument "x\\ny": see --help$/],
    [["--memory", "--nodes", "2"], /^--memory is for one node/],
  ];
  for (const [args, words] of grid) {
    const message = refusal(() => readCommand(args));
    assert(words.test(message), message);
  }
  // Records every environment variable that the configuration reads. The help must list each.
  const asked = new Set<string>(["MESHER_PEERS"]);
  const env = new Proxy({}, { get: (_, name) => void asked.add(String(name)) });
  config(env);
  for (const name of asked) assert(HELP.includes(`  ${name} `), name);
  assert(asked.size >= 12);
});
