import { conform, prepareStage } from "../actor/conformance.ts";
import { MemoryNetwork } from "../kit/memory_host.ts";
import { untilWhole, withNodes } from "../kit/mesh.ts";

conform("between actors of one node", async (body) => {
  await withNodes(async (start) => {
    const node = await start("alone", { logLevel: "silent" });
    prepareStage(node);
    await body({ system: node.system, nodes: [node.name, node.name] });
  });
});

conform("between two nodes of a network in memory", async (body) => {
  await withNodes(async (start) => {
    const network = new MemoryNetwork();
    const near = await start("near", { logLevel: "silent" }, network.host());
    const far = await start("far", { logLevel: "silent", seeds: [near.name] }, network.host());
    await untilWhole([near, far]);
    prepareStage(near);
    prepareStage(far);
    await body({ system: near.system, nodes: [near.name, far.name] });
  });
});
