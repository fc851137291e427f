import { until } from "./test.ts";

/** A real WebSocket client, the runtime's own, that records its messages. */
export class Client {
  readonly observed: string[] = [];
  readonly #socket: WebSocket;
  #closed = false;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.observed.push(String(data));
    socket.onclose = () => this.#closed = true;
  }

  /** Connects to a URL. */
  static async open(url: string): Promise<Client> {
    const socket = new WebSocket(url);
    const client = new Client(socket);
    await new Promise<void>((open, fail) => {
      socket.onopen = () => open();
      socket.onerror = (event) => fail(new Error(`cannot connect to ${url}: ${event.type}`));
    });
    return client;
  }

  /** Connects, and resolves when the server has added the socket to a room. */
  static async member(url: string, room: string): Promise<Client> {
    const client = await Client.open(url);
    client.send(`join ${room}`);
    await until(`the socket has joined ${room}`, () => client.observed.includes(`joined ${room}`));
    client.observed.length = 0;
    return client;
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  async close(): Promise<void> {
    this.#socket.close();
    await until("the socket is closed", () => this.#closed);
  }
}

/** Opens `count` sockets that have joined a room. */
export function members(url: string, room: string, count: number): Promise<Client[]> {
  return Promise.all(Array.from({ length: count }, () => Client.member(url, room)));
}
