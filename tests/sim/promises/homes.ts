/**
 * Promise: a key of a kind has one actor on nodes that have exchanged hellos, and with a quorum one
 * in total; requests are handled at most once; when idle, all nodes agree on the home of each key.
 */
import { Call } from "../../../lib/actor/call.ts";
import type { Self } from "../../../lib/actor/self.ts";
import type { HomeKind } from "../../../lib/cluster/home.ts";
import type { Node } from "../../../lib/node.ts";
import { fullName } from "../../../lib/simulate.ts";
import type { MakePromise } from "../chaos.ts";
import { HomeChecker } from "../checkers/homes.ts";
import { Sessions } from "../checkers/sessions.ts";

const KINDS = ["cart", "vault"];
const KEYS = ["k1", "k2", "k3", "k4", "k5", "k6"];

export const homes: MakePromise = ({ parts, pick, sim }) => {
  const sessions = new Sessions();
  const offered = new Map<string, Map<string, HomeKind>>();
  const checker = new HomeChecker(sessions, (kind, node, other) => {
    const kinds = [...offered].find(([short]) => fullName(short) === node)?.[1];
    return kinds?.get(kind)?.nodes().includes(other) ?? false;
  });
  let requests = 0;

  const offer = (short: string, node: Node, kind: string): HomeKind => {
    const needsQuorum = kind === "vault";
    const box = (self: Self<unknown>, key: string, token: number | undefined) => {
      sim.note(`${kind} ${key} runs on ${short} ${token ?? ""}`);
      const ended = checker.start(kind, key, node.name, token, needsQuorum, sim.now);
      self.signal.addEventListener("abort", () => {
        sim.note(`${kind} ${key} ends on ${short}`);
        ended();
      });
      return (message: unknown) => {
        // Exits without an error, because an error's stack differs between the runtimes, and with
        // it the encoded bytes.
        if (message === "crash") self.exit("crashed");
        if (!(message instanceof Call)) return;
        checker.handle(message.request as number);
        message.reply(short);
      };
    };
    return parts(short)!.homes.offer(kind, {
      start: (self, key, { token }) => self.spawnLink(box, key, token),
      handover: () => "state",
      restart: true,
      passivateAfter: 2_000,
      quorum: needsQuorum ? "majority" : undefined,
    });
  };
  const call = (home: HomeKind, key: string): void => {
    const request = ++requests;
    home.call(key, request, { timeout: 3_000 }).then(() => checker.answer(request), () => {});
  };

  return {
    name: "homes",
    up(short, node) {
      sessions.start(node.name);
      for (const other of node.peers()) sessions.up(node.name, other, sim.now);
      node.on("nodeup", (event) => sessions.up(node.name, event.node, sim.now));
      node.on("nodedown", (event) => sessions.down(node.name, event.node));
      const kinds = new Map(KINDS.map((kind) => [kind, offer(short, node, kind)]));
      offered.set(short, kinds);
      // Calls at once, when the other nodes may not know yet that this node offers the kinds.
      for (const home of kinds.values()) for (const key of KEYS) call(home, key);
    },
    down(short) {
      offered.delete(short);
      sessions.end(fullName(short));
      checker.end(fullName(short));
    },
    paused(short, isPaused) {
      sessions.pause(fullName(short), isPaused, sim.now);
    },
    act() {
      if (offered.size === 0) return;
      const home = pick([...offered.values()]).get(pick(KINDS))!;
      for (let i = 0; i < 2; i++) call(home, pick(KEYS));
      if (sim.random.next() < 0.05) home.cast(pick(KEYS), "crash");
    },
    async check(sim) {
      // All pending decisions have been made by now. Calls each key from each node.
      const failures: string[] = [];
      const all = [...offered].flatMap(([short, kinds]) =>
        [...kinds].flatMap(([kind, home]) =>
          KEYS.map(async (key) => {
            await home.call(key, ++requests, { timeout: 5_000 })
              .catch((error) => failures.push(`${kind} ${key} from ${short}: ${error.message}`));
          })
        )
      );
      await Promise.all(all);
      if (failures.length > 0) throw new Error(failures.slice(0, 3).join("\n"));
      const homesOf = new Map(
        KINDS.flatMap((kind) =>
          KEYS.map((key) =>
            [
              `${kind} ${key}`,
              [...offered.values()].map((kinds) => kinds.get(kind)!.nodeOf(key)),
            ] as const
          )
        ),
      );
      checker.check(homesOf);
      await sim.run(0);
    },
  };
};
