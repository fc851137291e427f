/** Tests which examples the check finds in documentation. */
import { assertEquals } from "@std/assert";
import { examplesOf } from "../../scripts/check/examples.ts";
import { test } from "../kit/test.ts";

const MODULE = `/** Module. */
import "x";

/**
 * Adds.
 *
 * @example
 * \`\`\`ts
 * if (1) {
 *   add(1);
 * }
 * \`\`\`
 *
 * \`\`\`ts ignore
 * add(2);
 * \`\`\`
 */
export function add() {}
/** \`\`\`json
 * {}
 * \`\`\` */
`;

test("examplesOf finds the code blocks in the comments of a module, with their lines", () => {
  assertEquals(examplesOf("a.ts", MODULE), [
    { path: "a.ts", line: 9, code: "if (1) {\n  add(1);\n}\n" },
  ]);
});

test("examplesOf finds the TypeScript blocks of a page, and skips other blocks", () => {
  const page = "# T\n\n```ts\na;\n```\n\n```sh\nb\n```\n\n```js\nc;\n```\n";
  assertEquals(examplesOf("a.md", page), [
    { path: "a.md", line: 4, code: "a;\n" },
    { path: "a.md", line: 12, code: "c;\n" },
  ]);
});
