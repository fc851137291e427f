/** A program in which every actor waits for hours. None of them keeps the process from exiting. */
import { makeHost } from "../kit/host.ts";
import { System } from "../../lib/actor/system.ts";

const home = { node: "idle@127.0.0.1:1", creation: 1, local: true };
const system = new System(home, makeHost());
const hour = 3_600_000;
const pid = system.spawn(undefined, undefined, () => () => {}, []);
system.spawn(undefined, undefined, (self) => self.receive({ timeout: hour }), []);
system.sendAfter<unknown>(pid, "late", hour);
system.sendInterval<unknown>(pid, "now and then", hour);
system.call(pid as never, "?", { timeout: hour }).catch(() => {});
