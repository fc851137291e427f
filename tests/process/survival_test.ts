/**
 * Tests that failures of the runtime or the machine are rejections with a message, and that a
 * process whose standard error is closed continues.
 */
import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { findProgram } from "../../scripts/cluster/runtimes.ts";
import { runtime, test } from "../kit/test.ts";

const CHILD = fileURLToPath(new URL("survival_child.ts", import.meta.url));
const deno = findProgram("deno");

/** Runs a command in a shell. Resolves to its exit status and standard output. */
function sh(command: string): Promise<{ status: number; out: string }> {
  const env = { ...process.env, DENO_NO_PROMPT: "1", NO_COLOR: "1" };
  return new Promise((ended) => {
    execFile("sh", ["-c", command], { env }, (error, out, err) => {
      const status = typeof error?.code === "number" ? error.code : 0;
      ended({ status, out: status === 0 ? out : out + err });
    });
  });
}

const given = (options: object): string => `'${JSON.stringify(options)}'`;
const withCookie = given({ cookie: "of the tests", logLevel: "silent" });

for (
  const [flags, options, expected] of [
    // Deno adds -A to a Deno that it starts without permission flags.
    [
      "--allow-env=NOTHING",
      withCookie,
      "ListenError NotCapable: cannot listen on 127.0.0.1:0: Deno may not listen",
    ],
    ["--allow-net=127.0.0.1:9", withCookie, "ListenError NotCapable: cannot listen on 127.0.0.1:0"],
    ["--allow-net=127.0.0.1", withCookie, "stopped"],
    [
      "--allow-net",
      given({}),
      'CookieError cookiefile: cannot store the cookie in the home folder: Requires sys access to "homedir"',
    ],
    ["--allow-net --allow-sys", given({}), "/.firn.cookie: Requires read access"],
    ["--allow-net", given({ cookieFile: "c" }), "cookie in c: Requires read access"],
    ["--allow-net --allow-read", given({ cookieFile: "c" }), "cookie in c: Requires write access"],
  ] as const
) {
  const outcome = expected === "stopped" ? "starts" : "rejects with the denied permission";
  test(
    `Node.start with ${flags} and the options ${options} ${outcome}`,
    {
      ignore: deno === undefined,
    },
    async () => {
      const run = `${deno} run -q --no-check --no-lock ${flags} ${CHILD} ${options}`;
      const { status, out } = await sh(run);
      assertEquals(status, 0, out);
      assertStringIncludes(out, expected);
    },
  );
}

const own = runtime === "deno"
  ? `${process.execPath} run -A -q --no-check --no-lock ${CHILD}`
  : `${process.execPath} ${CHILD}`;

for (const redirect of ["2>/dev/full", "2>&-"]) {
  test(`Node continues to run when its log cannot be written (${redirect})`, async () => {
    const options = given({ cookie: "of the tests" });
    assertEquals(await sh(`${own} ${options} ${redirect}`), { status: 0, out: "stopped\n" });
  });
}

test("Node continues to run when the reader of its log has exited", async () => {
  const options = given({ cookie: "of the tests" });
  const { out } = await sh(`{ ${own} ${options} 2>&1 >&3 | true; } 3>&1`);
  assertEquals(out, "stopped\n");
});
