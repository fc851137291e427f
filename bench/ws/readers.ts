/**
 * The clients of `broadcast_bench.ts`, in a separate process: sockets that count bytes and parse
 * nothing, because the server is measured.
 *
 *     readers.ts <port> <members> …   opens <members> sockets on /<members>, and one on /control
 *
 * The server sends on /control the number of bytes that all members will receive in total since the
 * start. The reply is one frame, sent when they have arrived.
 *
 * @module
 */
import process from "node:process";
import type { Stream, StreamHandler } from "../../lib/host/stream.ts";
import { IGNORE } from "../../lib/host/stream.ts";
import { systemHost } from "../../lib/start.ts";
import { buildFrame, readFrames, upgradeRequest } from "../../tests/kit/ws_client.ts";

const [port = NaN, ...counts] = process.argv.slice(2).map(Number);
const host = systemHost();

/** The number of received bytes, and the number awaited on /control. */
const seen = { counted: 0, expected: Infinity, control: undefined as Stream | undefined };

function count(bytes: number): void {
  seen.counted += bytes;
  if (seen.counted < seen.expected) return;
  seen.expected = Infinity;
  seen.control?.write(buildFrame({ payload: "all" }));
}

const member: StreamHandler = { ...IGNORE, data: ({ length }) => count(length) };
const boss: StreamHandler = {
  ...IGNORE,
  data(bytes) {
    for (const { payload } of readFrames(bytes).frames) {
      seen.expected = Number(new TextDecoder().decode(payload));
    }
    count(0);
  },
  close: () => process.exit(0),
};

/** Opens a WebSocket. Resolves to the stream after the handshake. */
async function open(path: string, handler: StreamHandler): Promise<Stream> {
  const stream = await host.connect({ hostname: "127.0.0.1", port, timeoutMs: 5000 });
  await new Promise<void>((opened) => {
    stream.handler = {
      ...IGNORE,
      data(bytes) {
        const end = new TextDecoder().decode(bytes).indexOf("\r\n\r\n");
        stream.handler = handler;
        if (bytes.length > end + 4) handler.data(bytes.subarray(end + 4));
        opened();
      },
    };
    stream.write(new TextEncoder().encode(upgradeRequest({}, `GET ${path} HTTP/1.1`)));
  });
  return stream;
}

for (const members of counts) {
  for (let i = 0; i < members; i++) await open(`/${members}`, member);
}
seen.control = await open("/control", boss);
