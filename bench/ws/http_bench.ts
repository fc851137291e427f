/**
 * Question: what does a plain HTTP request cost, on a kept-alive connection and on a new one?
 *
 * One iteration is one round: 64 connections send one request each and wait for the responses, or
 * one connection sends 64 at once. Divide by 64 for one request. Client and server are raw streams
 * in one process, so the result includes both; the client's part is small, as it only counts bytes.
 * On a kept-alive connection the cost is mostly that of the `Request` and `Response` classes and
 * their bodies; a new connection adds the kernel's connect and close.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Address, Stream, StreamHandler } from "../../lib/host/stream.ts";
import { serve } from "../../lib/ws/server.ts";
import { systemHost } from "../../lib/start.ts";
import { bench, benches, size } from "../kit.ts";

const CLIENTS = size(64, 2);
const BODY = "x".repeat(64);
const END = "\r\n\r\n";
const GET = Buffer.from("GET /a HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n");
const GET_AND_CLOSE = Buffer.from("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
const POST = Buffer.from(
  `POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
);
const CHUNKED = Buffer.from(
  "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
    `40\r\n${BODY}\r\n0\r\n\r\n`,
);

const host = systemHost();

/** A client connection that counts the responses. */
class Client implements StreamHandler {
  readonly #stream: Stream;
  #left = 0;
  #ended: () => void = () => {};
  #before = "";

  constructor(stream: Stream) {
    this.#stream = stream;
    stream.handler = this;
  }

  static async open({ hostname, port }: Address): Promise<Client> {
    return new Client(await host.connect({ hostname, port, timeoutMs: 5000 }));
  }

  /** Sends requests. Resolves when `count` responses have arrived. */
  ask(requests: Uint8Array, count: number = 1): Promise<void> {
    this.#left = count;
    this.#stream.write(requests);
    return new Promise((ended) => this.#ended = ended);
  }

  data(bytes: Uint8Array): void {
    const text = this.#before + Buffer.from(bytes).toString("latin1");
    let at = 0;
    // A response is complete when its body has also arrived.
    for (let end = text.indexOf(END); end >= 0; end = text.indexOf(END, at)) {
      if (text.length < end + END.length + BODY.length) break;
      at = end + END.length + BODY.length;
      this.#left--;
    }
    this.#before = text.slice(at);
    if (this.#left === 0) this.#ended();
  }

  drain(): void {}

  end(): void {
    this.#stream.end();
  }

  close(): void {}
}

await benches("bench/ws/http_bench.ts", ["net"], async () => {
  const server = await serve(host, {
    maxRequestsPerConnection: Number.MAX_SAFE_INTEGER,
    keepAliveTimeout: 600_000,
    fetch: async (request) => {
      if (request.method === "POST") await request.arrayBuffer();
      return new Response(BODY);
    },
  });

  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => Client.open(server)));
  const group = `${CLIENTS} requests`;

  for (
    const [name, request] of [["GET", GET], ["POST", POST], ["POST in chunks", CHUNKED]] as const
  ) {
    bench(`${name}, connections kept`, { group, baseline: request === GET }, async () => {
      await Promise.all(clients.map((client) => client.ask(request)));
    });
  }

  bench("GET, a connection for each", { group }, async () => {
    await Promise.all(
      clients.map(async () => await (await Client.open(server)).ask(GET_AND_CLOSE)),
    );
  });

  const [greedy] = clients;
  const all = Buffer.concat(Array.from({ length: CLIENTS }, () => GET));
  bench("GET, all at once on one connection", { group }, async () => {
    await greedy!.ask(all, CLIENTS);
  });
});
