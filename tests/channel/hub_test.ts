import { assert } from "@std/assert";
import { reconnectTime } from "../../lib/channel/hub.ts";
import { test } from "../kit/test.ts";

test("reconnectTime distributes the clients of a batch evenly over the interval", () => {
  for (const batch of [4, 10, 100]) {
    for (const first of [0, 1, 17, 1_000]) {
      const times = Array.from({ length: batch }, (_, i) => reconnectTime(first + i, 1_000));
      for (const time of times) assert(time >= 0 && time <= 1_000, `${time}`);
      // In no tenth of the interval, much more than a tenth of the batch reconnects.
      for (let tenth = 0; tenth < 10; tenth++) {
        const within = times.filter((time) => Math.floor(time / 100) === tenth).length;
        assert(within <= Math.ceil(batch / 10) + 2, `${within} of ${batch} in a tenth`);
      }
    }
  }
});
