/**
 * Many clients for `ws_load_test.ts`, in a separate process, so that only the server's memory is
 * measured:
 *
 *     idle PORT COUNT               opens COUNT WebSockets and keeps them open; prints "open"
 *     stalled PORT COUNT            the same, but never reads after the upgrade response
 *     churn PORT A_SECOND SECONDS   opens and drops A_SECOND per second; prints "done COUNT"
 *
 * It exits at the end of its standard input.
 */
import net from "node:net";
import process from "node:process";

const REQUEST = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/** The maximum number of concurrent dials. */
const DIALS_MAX = 50;

const [what, ...numbers] = process.argv.slice(2);
const [port, first = 0, second = 0] = numbers.map(Number);

/** Opens a WebSocket. */
function open(reads: boolean = true): Promise<net.Socket> {
  return new Promise((opened, fail) => {
    const socket = net.connect(port!, "127.0.0.1", () => socket.write(REQUEST));
    socket.once("data", () => {
      if (!reads) socket.pause();
      opened(socket);
    });
    socket.on("error", fail);
  });
}

async function idle(count: number, reads: boolean): Promise<void> {
  const sockets: net.Socket[] = [];
  while (sockets.length < count) {
    const some = Math.min(DIALS_MAX, count - sockets.length);
    sockets.push(...await Promise.all(Array.from({ length: some }, () => open(reads))));
  }
  process.stdout.write("open\n");
}

async function churn(aSecond: number, seconds: number): Promise<void> {
  const all: Promise<void>[] = [];
  const begun = Date.now();
  for (let count = 0; count < aSecond * seconds;) {
    const due = Math.min(aSecond * seconds, (Date.now() - begun) * aSecond / 1000);
    // Every second client disconnects without a close frame, some before the response.
    for (; count < due; count++) {
      if (count % 5 === 0) all.push(vanish());
      else all.push(open().then((socket) => void socket.resetAndDestroy(), () => {}));
    }
    await new Promise((turn) => setTimeout(turn, 5));
  }
  await Promise.all(all);
  process.stdout.write(`done ${all.length}\n`);
}

/** Sends an upgrade request, and disconnects without waiting for the response. */
function vanish(): Promise<void> {
  return new Promise((gone) => {
    const socket = net.connect(port!, "127.0.0.1", () => {
      socket.write(REQUEST.slice(0, 100));
      socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => gone());
  });
}

process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
await (what === "churn" ? churn(first, second) : idle(first, what === "idle"));
