/**
 * Promise: a line sent to a room arrives at each member at most once and in the order of its
 * sender, and exactly once while there are no faults.
 */
import { listener, spoken } from "../actors.ts";
import type { MakePromise } from "../chaos.ts";
import { RoomChecker } from "../checkers/rooms.ts";
import { Lives } from "./lives.ts";

export const rooms: MakePromise = ({ nodes, pick, sim }) => {
  const checker = new RoomChecker();
  const lives = new Lives();
  let said = 0;
  let isResting = false;

  const say = (): void => {
    const short = pick([...nodes.keys()]);
    const node = nodes.get(short);
    if (node === undefined) return;
    const from = lives.of(short);
    const number = said++;
    if (isResting) checker.take(from, { kind: "said", line: `${from} ${number}`, round: 1 });
    node.rooms.broadcast("square", spoken(from, number));
  };

  return {
    name: "rooms",
    up(short, node) {
      const life = lives.up(short);
      node.rooms.join("square", listener((fact) => checker.take(life, fact)));
    },
    down() {},
    act() {
      if (sim.random.next() < 0.5) say();
    },
    rest() {
      isResting = true;
      for (let i = 0; i < 20; i++) say();
    },
    check() {
      checker.check(lives.views(nodes));
    },
  };
};
