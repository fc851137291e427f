/**
 * A client for `ws_clients_test.ts`, with the API that a browser's `WebSocket` and npm's `ws`
 * share, run by Deno, Bun, Node or a page:
 *
 *     node ws_script.mjs URL [package]
 *
 * It sends texts and binary of many lengths, compares the echoes, then asks the server to close
 * with 4002, reconnects and closes with 4001 itself. It prints its observations as one line of
 * JSON.
 */

/** Runs with the platform's own `WebSocket`, or with the given class. */
export async function talk(url, Socket) {
  const open = async () => {
    const socket = new Socket(url, ["firn.1", "other"]);
    socket.binaryType = "arraybuffer";
    const got = [];
    const waiting = [];
    socket.onmessage = ({ data }) => {
      got.push(data);
      waiting.shift()?.();
    };
    const closed = new Promise((done) =>
      socket.onclose = ({ code, reason, wasClean }) => done({ code, reason, wasClean })
    );
    await new Promise((done, fail) => {
      socket.onopen = done;
      socket.onerror = (event) => fail(new Error(`no WebSocket: ${event.message ?? event.type}`));
    });
    socket.onerror = null;
    const next = async () => {
      if (got.length === 0) await new Promise((resolve) => waiting.push(resolve));
      return got.shift();
    };
    return { socket, next, closed };
  };
  const first = await open();
  let echoed = 0;
  for (const length of [0, 1, 125, 126, 1000, 65_535, 65_536, 300_000]) {
    for (const unit of ["a", "é", "😀"]) {
      const text = unit.repeat(length / unit.length);
      first.socket.send(text);
      if (await first.next() !== text) {
        throw new Error(`a text of ${text.length} was echoed differently`);
      }
      echoed++;
    }
    const bytes = Uint8Array.from({ length }, (_, i) => i * i);
    first.socket.send(bytes);
    const back = new Uint8Array(await first.next());
    if (back.length !== length || !back.every((byte, i) => byte === bytes[i])) {
      throw new Error(`binary of ${length} was echoed differently`);
    }
    echoed++;
  }
  let fragments = "";
  // Only npm's `ws` has the methods `terminate` and `ping`.
  if (typeof first.socket.terminate === "function" && typeof first.socket.ping === "function") {
    first.socket.send("frag", { fin: false, compress: true });
    first.socket.send("ments", { fin: true, compress: true });
    fragments = await first.next();
  }
  const { extensions, protocol } = first.socket;
  first.socket.send("close 4002 enough");
  const received = await first.closed;
  const second = await open();
  second.socket.close(4001, "done");
  const ownClose = await second.closed;
  return { echoed, fragments, extensions, protocol, received, ownClose };
}

if (typeof process === "object" && process.argv[2]?.startsWith("ws")) {
  const [, , url, name] = process.argv;
  const Socket = name ? (await import(name)).WebSocket : WebSocket;
  process.stdout.write(`${JSON.stringify(await talk(url, Socket))}\n`);
}
