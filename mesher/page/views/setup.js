/**
 * Instructions for sending errors from a program: the DSN of a key, and the code for the program.
 *
 * @module
 */
import { BASE } from "../base.js";
import { fill, h } from "../dom.js";
import { copyable, field, select } from "../parts/controls.js";

/** @import { App } from "../app.js" */

/** The key under which the browser stores the chosen program. */
const CHOSEN = "mesher.program";

/**
 * The programs with instructions. `install` is the command that installs the SDK.
 *
 * @type {readonly { id: string, text: string, install?: string, code: (dsn: string) => string }[]}
 */
const PROGRAMS = [
  {
    id: "browser",
    text: "JavaScript in a browser",
    install: "npm install @sentry/browser",
    code: (dsn) => `import * as Sentry from "@sentry/browser";\n\nSentry.init({ dsn: "${dsn}" });`,
  },
  {
    id: "node",
    text: "Node or Bun",
    install: "npm install @sentry/node",
    code: (dsn) => `import * as Sentry from "@sentry/node";\n\nSentry.init({ dsn: "${dsn}" });`,
  },
  {
    id: "deno",
    text: "Deno",
    install: "deno add npm:@sentry/deno",
    code: (dsn) => `import * as Sentry from "@sentry/deno";\n\nSentry.init({ dsn: "${dsn}" });`,
  },
  {
    id: "python",
    text: "Python",
    install: "pip install sentry-sdk",
    code: (dsn) => `import sentry_sdk\n\nsentry_sdk.init(dsn="${dsn}")`,
  },
  {
    id: "java",
    text: "Java",
    install: "io.sentry:sentry",
    code: (dsn) => `Sentry.init(options -> options.setDsn("${dsn}"));`,
  },
  {
    id: "go",
    text: "Go",
    install: "go get github.com/getsentry/sentry-go",
    code: (dsn) => `err := sentry.Init(sentry.ClientOptions{\n\tDsn: "${dsn}",\n})`,
  },
  {
    id: "php",
    text: "PHP",
    install: "composer require sentry/sentry",
    code: (dsn) => `\\Sentry\\init(['dsn' => '${dsn}']);`,
  },
  { id: "other", text: "Another language", code: (dsn) => `SENTRY_DSN=${dsn}` },
];

/**
 * Draws the instructions for a key, with the program chosen by the user.
 *
 * @param {App} app
 * @param {string} key
 * @returns {HTMLElement}
 */
export function setupGuide(app, key) {
  const base = app.publicUrl === null ? BASE : `${app.publicUrl}/`;
  // SDKs require a number in place of the project. The key identifies the project.
  const dsn = `${base.replace("://", `://${key}@`)}1`;
  const code = h("div", { class: "guide-part" });
  const chosen = localStorage.getItem(CHOSEN) ?? "";
  const program = select(
    PROGRAMS.map(({ id, text }) => /** @type {[string, string]} */ ([id, text])),
    PROGRAMS.find(({ id }) => id === chosen)?.id ?? "browser",
    { onchange: draw },
  );
  function draw() {
    localStorage.setItem(CHOSEN, program.value);
    const { install, code: text } = PROGRAMS.find(({ id }) => id === program.value) ??
      { install: undefined, code: String };
    fill(
      code,
      install && copyable(install),
      copyable(text(dsn)),
    );
  }
  draw();
  return h(
    "div",
    { class: "guide" },
    h("p", null, "Any Sentry SDK sends events here, with this DSN:"),
    copyable(dsn),
    field("Your program", program),
    code,
    h("p", null, "Or try it with plain HTTP:"),
    copyable(
      `curl ${base}api/v1/events -H 'x-api-key: ${key}' \\\n` +
        `  -d '{"message":"Hello from curl","level":"error"}'`,
    ),
  );
}
