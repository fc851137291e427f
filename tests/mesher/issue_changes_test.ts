/** Tests merging, splitting, comments and activity through the API. */
import { assertEquals } from "@std/assert";
import { test, until } from "../kit/test.ts";
import { onStage, type Stage } from "./end_to_end_kit.ts";

const base = "/api/v1/projects/default";

/** Sends events. Resolves to the ids of their issues, by title. */
export async function issuesFrom(
  { sender, user }: Stage,
  events: readonly Readonly<Record<string, unknown>>[],
): Promise<ReadonlyMap<string, string>> {
  await sender.post("/api/v1/events/bulk", events);
  const wanted = new Set(events.map(({ message }) => message));
  let found = new Map<string, string>();
  await until("the events are stored", async () => {
    const { data } = (await user.get(`${base}/issues?limit=100`)).json;
    found = new Map(data.map((one: { title: string; id: string }) => [one.title, one.id]));
    return [...wanted].every((title) => found.has(title as string));
  });
  return found;
}

test("Issues can be merged, commented on and split through the API", async () => {
  await onStage(async (stage) => {
    const { user } = stage;
    const ids = await issuesFrom(stage, ["one", "two"].map((message) => ({ message })));
    const [one, two] = [ids.get("one")!, ids.get("two")!];
    const refused = async (path: string, body: unknown): Promise<unknown> => {
      const got = await user.post(`/api/v1/issues/${path}`, body);
      return [got.status, got.json.error];
    };
    assertEquals(await refused(`${one}/merge`, { issue_ids: [] }), [
      400,
      "issue_ids must have 1 to 100 entries",
    ]);
    assertEquals(await refused(`${one}/merge`, { issue_ids: [1] }), [
      400,
      "issue_ids must be a list of strings",
    ]);
    assertEquals(await refused(`${one}/merge`, { issue_ids: ["x"] }), [404, "issue not found"]);
    const merged = await user.post(`/api/v1/issues/${one}/merge`, { issue_ids: [two] });
    assertEquals([merged.status, merged.json.id, merged.json.event_count], [200, one, 2]);
    assertEquals((await user.get(`/api/v1/issues/${two}`)).status, 404);
    const comment = await user.post(`/api/v1/issues/${one}/comments`, { text: " look here " });
    assertEquals(comment.json.data, { text: "look here" });
    assertEquals(await refused(`${one}/comments`, { text: "x".repeat(4_097) }), [
      400,
      "text may have at most 4096 characters",
    ]);
    const prints = (await user.get(`/api/v1/issues/${one}/fingerprints`)).json;
    assertEquals(prints.map(({ title }: { title: string }) => title), ["one", "two"]);
    const split = await user.post(`/api/v1/issues/${one}/split`, {
      fingerprints: [prints[1].fingerprint],
    });
    assertEquals([split.json.title, split.json.event_count], ["two", 1]);
    assertEquals(await refused(`${one}/split`, { fingerprints: [prints[0].fingerprint] }), [
      400,
      "one fingerprint must stay with the issue",
    ]);
    await user.post(`/api/v1/issues/${one}/resolve`);
    await issuesFrom(stage, [{ message: "one", release: "2" }]);
    const { data } = (await user.get(`/api/v1/issues/${one}/activity`)).json;
    await until(
      "the activity shows the regression",
      async () =>
        (await user.get(`/api/v1/issues/${one}/activity`)).json.data[0].kind === "regressed",
    );
    const me = comment.json.user_id;
    assertEquals(
      data.filter(({ kind }: { kind: string }) => kind !== "regressed")
        .map(({ kind, user_id }: { kind: string; user_id: string }) => [kind, user_id]).toSorted(),
      [["comment", me], ["merged", me], ["resolved", me], ["split", me]],
    );
    const gone = await user.post(`/api/v1/comments/${comment.json.id}/delete`);
    assertEquals(gone.json.affected, 1);
    assertEquals((await user.post(`/api/v1/comments/${comment.json.id}/delete`)).status, 404);
  });
});
