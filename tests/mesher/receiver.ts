/** Receivers of webhooks for tests. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { until } from "../kit/test.ts";

/** A receiver, and the requests that it has received. */
export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly got: { readonly url: string; readonly host: string; readonly body: string }[];
  /** Returns the number of open connections. */
  open(): number;
}

/** Runs `body` with a receiver that responds as configured. */
export async function withReceiver(
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
  body: (receiver: Receiver) => Promise<void>,
): Promise<void> {
  const got: Receiver["got"] = [];
  let open = 0;
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (part) => text += part);
    request.on("end", () => {
      got.push({ url: request.url!, host: request.headers.host!, body: text });
      answer(request, response, got.length);
    });
  });
  server.on("connection", (socket) => {
    open++;
    socket.on("error", () => {});
    socket.on("close", () => open--);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  try {
    await body({ url: `http://127.0.0.1:${port}`, port, got, open: () => open });
    await until("all connections are closed", () => open === 0);
  } finally {
    await new Promise((done) => server.close(done));
  }
}
