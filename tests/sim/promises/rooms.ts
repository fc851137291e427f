/**
 * Promise: what is said in a room arrives at most once at each member, in the order of who said it; and,
 * when nothing goes wrong, exactly once.
 */
import type { Node } from "../../../lib/node.ts";
import type { MakePromise } from "../chaos.ts";

const decoder = new TextDecoder();

export const rooms: MakePromise = ({ nodes, pick, sim }) => {
  const broken: string[] = [];
  const heard = new Map<string, string[]>();
  const lives = new Map<string, number>();
  let said = 0;
  let isResting = false;
  const late: string[] = [];

  const listen = (short: string, node: Node): void => {
    const who = `${short}${lives.get(short)}`;
    const log: string[] = [];
    heard.set(who, log);
    const last = new Map<string, number>();
    node.rooms.join("square", {
      sendShared(frames: Uint8Array) {
        for (const [, from, number] of decoder.decode(frames).matchAll(/<(\w+) (\d+)>/g)) {
          if (Number(number) <= (last.get(from!) ?? -1)) {
            broken.push(`${who} heard ${number} of ${from} after ${last.get(from!)}`);
          }
          last.set(from!, Number(number));
          log.push(`${from} ${number}`);
        }
      },
    });
  };

  const say = (): void => {
    const short = pick([...nodes.keys()]);
    const node = nodes.get(short);
    if (node === undefined) return;
    const from = `${short}${lives.get(short)}`;
    const line = `${from} ${said++}`;
    if (isResting) late.push(line);
    node.rooms.broadcast("square", `<${line}>`);
  };

  return {
    name: "rooms",
    up(short, node) {
      lives.set(short, (lives.get(short) ?? 0) + 1);
      listen(short, node);
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
      if (broken.length > 0) throw new Error(broken.slice(0, 5).join("\n"));
      for (const [short] of nodes) {
        const log = heard.get(`${short}${lives.get(short)}`)!;
        for (const line of late) {
          const times = log.filter((each) => each === line).length;
          if (times !== 1) throw new Error(`${short} heard "${line}" ${times} times`);
        }
      }
    },
  };
};
