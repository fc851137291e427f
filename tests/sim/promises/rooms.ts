/**
 * Promise: a line sent to a room arrives at each member at most once and in the order of its
 * sender, and exactly once while there are no faults and all nodes know where the members are.
 *
 * In the room "square", each node always has a member. In "corner", members join and leave at any
 * time, so that nodes announce their rooms repeatedly.
 */
import { listener, spoken } from "../actors.ts";
import type { Node } from "../../../lib/node.ts";
import type { MakePromise } from "../chaos.ts";
import { RoomChecker } from "../checkers/rooms.ts";
import { Incarnations } from "./incarnations.ts";

const ROOMS = ["square", "corner"] as const;

export const rooms: MakePromise = ({ nodes, pick, sim }) => {
  const checkers = { square: new RoomChecker(), corner: new RoomChecker() };
  const incarnations = new Incarnations();
  const corners = new Map<Node, ReturnType<typeof listener>>();
  let sent = 0;
  let isResting = false;
  let missing: string[] | undefined;

  const say = (room: (typeof ROOMS)[number]): void => {
    const short = pick([...nodes.keys()]);
    const node = nodes.get(short);
    if (node === undefined) return;
    const from = incarnations.of(short);
    const number = sent++;
    if (isResting) checkers[room].take(from, { kind: "said", line: `${from} ${number}`, round: 1 });
    node.rooms.broadcast(room, spoken(from, number));
  };

  return {
    name: "rooms",
    up(short, node) {
      const incarnation = incarnations.up(short);
      node.rooms.join("square", listener((fact) => checkers.square.take(incarnation, fact)));
      corners.set(node, listener((fact) => checkers.corner.take(incarnation, fact)));
    },
    down() {},
    act() {
      if (sim.random.next() < 0.5) say(pick(ROOMS));
      const node = nodes.get(pick([...nodes.keys()]));
      if (node === undefined || sim.random.next() < 0.7) return;
      const member = corners.get(node)!;
      if (node.rooms.members("corner").has(member)) node.rooms.leave("corner", member);
      else node.rooms.join("corner", member);
    },
    rest() {
      isResting = true;
      for (const node of nodes.values()) node.rooms.join("corner", corners.get(node)!);
      Promise.all(Array.from(nodes.values(), ({ rooms }) => rooms.announced({ timeout: 10_000 })))
        .then((answers) => {
          missing = answers.flatMap(({ missing }) => missing);
          for (let i = 0; i < 40; i++) say(ROOMS[i % 2]!);
        });
    },
    check() {
      if (missing?.length !== 0) throw new Error(`rooms are not known to ${missing ?? "any node"}`);
      for (const room of ROOMS) checkers[room].check(incarnations.views(nodes));
    },
  };
};
