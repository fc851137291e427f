/**
 * Ways to let the event loop poll sockets before a task continues, for `fairness_bench.ts`.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Host } from "../../lib/host/host.ts";

/** A way to yield. It is opened before its measurement, and closed afterwards. */
export interface Way {
  readonly name: string;
  open(): Promise<Opened> | Opened;
}

/** A way to yield that is open, until `close` is called. */
export interface Opened {
  yieldToIo(task: () => void): void;
  close(): void;
}

function plain(name: string, yieldToIo: (task: () => void) => void): Way {
  return { name, open: () => ({ yieldToIo, close() {} }) };
}

function immediates(count: number): Way {
  return plain(`${count} × setImmediate`, (task) => {
    let left = count;
    const next = (): void => {
      if (--left > 0) setImmediate(next);
      else task();
    };
    setImmediate(next);
  });
}

const channel: Way = {
  name: "MessageChannel",
  open() {
    const { port1, port2 } = new MessageChannel();
    let waiting: () => void = () => {};
    port2.onmessage = () => waiting();
    return {
      yieldToIo(task) {
        waiting = task;
        port1.postMessage(0);
      },
      close: () => port1.close(),
    };
  },
};

const digest: Way = plain("crypto.subtle.digest", (task) => {
  crypto.subtle.digest("SHA-1", new Uint8Array(1)).then(task);
});

/**
 * Yields by sending a byte to itself through a socket. When the byte is read, sockets have been
 * polled.
 */
const kick: Way = {
  name: "a byte through a socket of its own",
  async open() {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    const [near, far] = await Promise.all([
      Deno.connect({ hostname: "127.0.0.1", port }),
      listener.accept(),
    ]);
    listener.close();
    near.setNoDelay(true);
    const byte = new Uint8Array(1);
    const arrived = new Uint8Array(1);
    return {
      yieldToIo(task) {
        // The task is also called if reading fails.
        far.read(arrived).then(task, task);
        near.write(byte);
      },
      close() {
        near.close();
        far.close();
      },
    };
  },
};

/**
 * Returns the ways that this runtime supports. `MessageChannel` is last, because it starves the
 * others.
 */
export function waysOf(host: Host): readonly Way[] {
  const common = [
    plain("the host's", (task) => host.yieldToIo(task)),
    immediates(1),
    plain("setTimeout(0)", (task) => void setTimeout(task, 0)),
    digest,
  ];
  return host.runtime === "deno"
    ? [...common, immediates(16), immediates(61), kick, channel]
    : [...common, channel];
}
