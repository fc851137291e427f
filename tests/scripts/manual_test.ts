/** Tests the rules for public documentation: each rule detects a violation. */
import { assertEquals } from "@std/assert";
import { type DocDeclaration, manualProblems, valuesOf } from "../../scripts/check/manual.ts";
import { test } from "../kit/test.ts";

const location = { filename: "file:///x/lib/a.ts", line: 3 };
const NUMBER = { kind: "keyword", value: "number" };
const literal = (string: string) => ({ kind: "literal", value: { kind: "string", string } });

/** Returns the problems of a symbol. */
function problems(name: string, declaration: Partial<DocDeclaration>): string[] {
  const declarations = [{ location, declarationKind: "export", kind: "interface", ...declaration }];
  return manualProblems([{ name, declarations }], new Set([name]));
}

test("manualProblems reports a value that has no example", () => {
  const tags = [{ kind: "example", doc: "```ts\n1;\n```" }];
  assertEquals(problems("f", { kind: "function" }), ["lib/a.ts:3: f has no @example"]);
  assertEquals(problems("f", { kind: "function", jsDoc: { tags } }), []);
  const methods = [{ jsDoc: { tags } }];
  assertEquals(problems("C", { kind: "class", def: { methods } }), []);
  assertEquals(problems("f", { kind: "function", declarationKind: "private" }), []);
});

test("manualProblems reports an option without a default and a number without a unit", () => {
  const of = (doc: string, tsType: { kind: string; value: string }) =>
    problems("ROptions", {
      def: { properties: [{ name: "p", optional: true, jsDoc: { doc }, tsType }] },
    });
  assertEquals(of("Milliseconds.", NUMBER), ["lib/a.ts:3: ROptions.p has no default"]);
  assertEquals(of("Default 5.", NUMBER), ["lib/a.ts:3: ROptions.p has no unit"]);
  assertEquals(of("Milliseconds. Default 5.", NUMBER), []);
  assertEquals(of("", { kind: "keyword", value: "undefined" }), []);
});

test("manualProblems reports a union of literals whose comment does not explain each literal", () => {
  const tsType = { kind: "union", value: [literal("a"), literal("b")] };
  const of = (doc: string) => problems("T", { kind: "typeAlias", jsDoc: { doc }, def: { tsType } });
  assertEquals(of('"a": one.'), ["lib/a.ts:3: the comment of T does not explain b"]);
  assertEquals(of('"a": one. "b": two.'), []);
});

test("valuesOf returns the exported values of a module, and no types", () => {
  const source = 'export { a, type B } from "./x.ts";\nexport type { C } from "./y.ts";\n' +
    "export async function d() {}\nexport interface E {}\nexport const F = 1;\n";
  assertEquals([...valuesOf(source)], ["a", "d", "F"]);
});
