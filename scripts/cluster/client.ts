/**
 * A client of one node's chat, used by the demo itself. Any other WebSocket client works the same
 * way.
 *
 * @module
 */
import type { ClientMessage, ServerMessage } from "./protocol.ts";
import { DemoError } from "./runtimes.ts";

/** Time limit in milliseconds of a connection attempt. */
const CONNECT_MS = 5_000;

/** A connected client. */
export class ChatClient {
  /** The name of the node to which the client is connected. */
  readonly node: string;
  /** Called with each message and its time in milliseconds. */
  observed: ((message: ServerMessage, at: number) => void) | undefined;
  /** Called when the connection is lost. */
  lost: (() => void) | undefined;
  readonly #socket: WebSocket;

  private constructor(node: string, socket: WebSocket) {
    this.node = node;
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const at = performance.now();
      this.observed?.(JSON.parse(data as string) as ServerMessage, at);
    };
    socket.onclose = () => this.lost?.();
    socket.onerror = () => {
      // Does nothing, because a close event follows.
    };
  }

  /** Connects to a node. */
  static async open(node: string, url: string): Promise<ChatClient> {
    const socket = new WebSocket(url);
    await new Promise<void>((open, failed) => {
      const fail = (why: string): void => failed(new DemoError(`no WebSocket to ${node}: ${why}`));
      const patience = setTimeout(() => fail(`no answer within ${CONNECT_MS} ms`), CONNECT_MS);
      socket.onopen = () => {
        clearTimeout(patience);
        open();
      };
      socket.onerror = socket.onclose = () => {
        clearTimeout(patience);
        fail("the connection failed");
      };
    });
    return new ChatClient(node, socket);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Sends a message if the client is connected. */
  say(message: ClientMessage): void {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
  }

  /** Closes the client. Resolves when it is closed, from any state. */
  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    await new Promise<void>((closed) => {
      this.#socket.onclose = () => {
        this.lost?.();
        closed();
      };
      this.#socket.close();
    });
  }
}
