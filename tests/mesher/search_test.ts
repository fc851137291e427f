/** Tests the search language: issues and events are found regardless of accents. */
import { assertEquals } from "@std/assert";
import { searchFrom as readSearch } from "../../mesher/domain/search.ts";
import { folded, queryWords, wordsOf } from "../../mesher/domain/words.ts";
import { test, until } from "../kit/test.ts";
import { onStage } from "./end_to_end_kit.ts";

const searchFrom = (text: string) => {
  const result = readSearch(text);
  if (!result.ok) throw new Error(result.fault.reason);
  return result.search;
};

test("searchFrom reports the position of an error in its input", () => {
  const fault = (text: string) => {
    const result = readSearch(text);
    return result.ok ? null : [result.fault.position, result.fault.reason.split(",")[0]];
  };
  assertEquals(fault("disk is:odd"), [9, 'is: has no state "odd"']);
  assertEquals(fault("level:loud"), [7, 'level: has no level "loud"']);
  assertEquals(fault("release: x"), [9, "release: has no value"]);
  assertEquals(fault('a "b'), [3, "a quote has no end"]);
  assertEquals(fault('release:"1'), [9, "a quote has no end"]);
  assertEquals(fault("x".repeat(1_025)), [1_025, "more than 1024 characters"]);
  assertEquals(fault("x ".repeat(33)), [65, "more than 32 parts"]);
  assertEquals(fault("disk has:region"), [6, "has: is not supported"]);
  assertEquals(fault("level:error level:fatal"), [13, "level: occurs twice"]);
  const wildcard = "wildcards and comparisons are not supported: quote the value";
  assertEquals(fault("!region:e*"), [9, wildcard]);
  assertEquals(fault("count:>5"), [7, wildcard]);
  assertEquals(fault("!level:loud"), [8, 'level: has no level "loud"']);
  for (const text of ["", '""', "TypeError: x", "https://a.example/x", ":"]) {
    assertEquals(fault(text), null, text);
  }
});

test("searchFrom reads names with values, and treats other text as words", () => {
  assertEquals(
    searchFrom(
      'is:unresolved level:Error release:"1.2 beta" env:prod user.email:a@b.c "two words"',
    ),
    {
      status: "unresolved",
      level: "error",
      release: "1.2 beta",
      environment: "prod",
      user: "a@b.c",
      words: "two words",
    },
  );
  assertEquals(searchFrom("is:ignored assigned:none region:eu x"), {
    status: "archived",
    assignedTo: null,
    tags: { region: "eu" },
    words: "x",
  });
  for (
    const text of ["https://a.example/x", ":", "a:", "TypeError: x"]
  ) {
    assertEquals(searchFrom(text).tags, undefined, text);
  }
  assertEquals(searchFrom("TypeError: x").words, "TypeError: x");
});

test("Search ignores accents in stored and in searched words", () => {
  assertEquals(folded("Größe Ñandú ŁÓDŹ œuvre"), "grosse nandu lodz oeuvre");
  assertEquals(queryWords("CAFÉ"), ["cafe"]);
  assertEquals(wordsOf("Café déjà-vu"), ["cafe", "deja", "vu"]);
  assertEquals(folded("नमस्ते"), "नमस्ते", "marks of other scripts are letters");
});

test("Issues and events are found by the query language, and sorted", async () => {
  await onStage(async ({ user, sender }) => {
    const events = [
      {
        message: "Café fermé",
        level: "warning",
        release: "1.2",
        environment: "prod",
        user: { id: 42 },
      },
      { message: "disk full", level: "error", release: "1.3", tags: { region: "eu" } },
      { message: "disk slow", level: "error", environment: "prod" },
      { message: "disk slow", level: "error", environment: "prod" },
    ];
    await sender.post("/api/v1/events/bulk", events);
    const base = "/api/v1/projects/default";
    const titles = async (path: string): Promise<string[]> =>
      (await user.get(base + path)).json.data.map(({ title }: { title: string }) => title);
    await until("all events are stored", async () => (await titles("/events")).length === 4);
    const issues = (q: string, more = "") => titles(`/issues?q=${encodeURIComponent(q)}${more}`);
    assertEquals(await issues("cafe FERME"), ["Café fermé"]);
    assertEquals(await issues("is:unresolved user:42"), ["Café fermé"]);
    assertEquals(await issues("release:1.3"), ["disk full"]);
    assertEquals(await issues("region:eu disk"), ["disk full"]);
    assertEquals((await issues("env:prod")).toSorted(), ["Café fermé", "disk slow"]);
    assertEquals(await issues("env:prod slow"), ["disk slow"]);
    assertEquals(await issues("release:none"), []);
    assertEquals(await issues("!level:error"), ["Café fermé"]);
    assertEquals(await issues("-level:warning !full"), ["disk slow"]);
    assertEquals(await issues("!env:prod"), ["disk full"]);
    assertEquals((await issues("!region:eu !user:1")).toSorted(), ["Café fermé", "disk slow"]);
    assertEquals(await issues('!"DISK " !is:resolved'), ["Café fermé"]);
    assertEquals(await issues("!is:unresolved"), []);
    assertEquals(await issues("is:assigned"), []);
    assertEquals((await issues("!assigned:none !user:42")).length, 0);
    assertEquals(await issues("title:full dis*"), ["disk full"]);
    assertEquals(await issues("is:resolved"), []);
    assertEquals((await issues("level:error", "&sort=events"))[0], "disk slow");
    const first = await user.get(`${base}/issues?sort=events&limit=1`);
    assertEquals(first.json.data[0].title, "disk slow");
    const { next_cursor: at, next_cursor_id: id } = first.json;
    const rest = await titles(`/issues?sort=events&limit=5&cursor=${at}&cursor_id=${id}`);
    assertEquals(rest.toSorted(), ["Café fermé", "disk full"]);
    assertEquals(await titles("/events?q=" + encodeURIComponent("user:42 cafe")), ["Café fermé"]);
    assertEquals((await user.get(`${base}/issues?sort=odd`)).status, 400);
    const wrong = await user.get(`${base}/events?q=level:loud`);
    assertEquals([wrong.status, wrong.json.error.slice(0, 38)], [
      400,
      "the search is wrong at position 7: lev",
    ]);
  });
});
