/** Tests the registry's counter of events: incremented, read and reset, by calls and over HTTP. */
import { assertEquals } from "@std/assert";
import { REGISTRY, registry, registryCalls } from "../../mesher/services/registry.ts";
import { test, until } from "../kit/test.ts";
import { onStage } from "./end_to_end_kit.ts";

test("The registry's count of accepted events survives a crash of the counter", async () => {
  await onStage(async ({ app, sender, user }) => {
    const { mesher } = app;
    const calls = () => registryCalls(mesher);
    await sender.post("/api/v1/events/bulk", [{ message: "a" }, { message: "b" }]);
    assertEquals(await calls().getEventCount(), 2);
    assertEquals(await calls().incrementEventCount(), 3);
    // Kills the counter. The service that replaces it continues to count.
    const before = mesher.node.whereis(REGISTRY)!;
    mesher.node.exit(before, "kill");
    await until("the registry is restarted", () => {
      const now = mesher.node.whereis(REGISTRY);
      return now !== undefined && !now.equals(before);
    });
    const there = registry.at(mesher.node, REGISTRY);
    assertEquals(await registry.call(there).getEventCount(), 3);
    assertEquals((await user.get("/api/v1/event-count")).json, { event_count: 3 });
    assertEquals((await user.post("/api/v1/event-count/reset")).json, { event_count: 0 });
    await sender.post("/api/v1/events", { message: "c" });
    assertEquals(await calls().getEventCount(), 1);
    assertEquals(await calls().resetEventCount(), 0);
  });
});
