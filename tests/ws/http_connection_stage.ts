/** An HTTP connection on its own, over a stream that the test controls. */
import { setImmediate } from "node:timers";
import { HttpConnection } from "../../lib/ws/http_connection.ts";
import { RequestOrigins } from "../../lib/ws/http_request.ts";
import { BodyBudget } from "../../lib/ws/body.ts";
import type { ServeOptions } from "../../lib/ws/options.ts";
import { checkOptions } from "../../lib/ws/limits.ts";
import { type HttpAnswer, readAnswers } from "../kit/http_answers.ts";
import { bytesOf, join } from "../kit/ws_client.ts";
import { FakeStream } from "./recorder.ts";

/** An HTTP connection whose stream, clock and turns the test controls. */
export class HttpConnectionStage {
  readonly stream: FakeStream = new FakeStream();
  readonly turns: (() => void)[] = [];
  ended = 0;
  now = 0;
  isStopping = false;
  readonly arrival: HttpConnection<undefined>;
  readonly #resting = new Set<unknown>();

  constructor(options: ServeOptions) {
    const isStopping = (): boolean => this.isStopping;
    const limits = checkOptions(options);
    this.arrival = new HttpConnection({
      get isStopping(): boolean {
        return isStopping();
      },
      options,
      limits,
      log: (_level, line) => {
        throw new Error(line);
      },
      bodies: new BodyBudget(limits.bodiesBytesMax),
      deflate: undefined,
      origins: new RequestOrigins(),
      date: () => "Thu, 01 Jan 1970 00:00:00 GMT",
      now: () => this.now,
      yieldToIo: (task) => this.turns.push(task),
      rests: (arrival) => this.#resting.add(arrival),
      wakes: (arrival) => this.#resting.delete(arrival),
      hasRoomFor: () => true,
      admit: () => {},
      ended: () => this.ended++,
    }, this.stream);
  }

  /** Delivers bytes in memory that is overwritten afterwards, as a host does. */
  receive(data: string | Uint8Array): void {
    const bytes = bytesOf(data).slice();
    this.stream.handler.data(bytes);
    bytes.fill(0xff);
  }

  get resting(): number {
    return this.#resting.size;
  }

  /** Runs one task that was deferred by `yieldToIo`. */
  async turn(): Promise<void> {
    await settle();
    this.turns.shift()?.();
    await settle();
  }

  /** Returns the responses that were written. */
  answers(methods?: readonly string[]): HttpAnswer[] {
    const text = new TextDecoder("latin1").decode(join(...this.stream.writes));
    return readAnswers(text, methods).answers;
  }

  /** The texts of the responses that were written. */
  get texts(): string[] {
    return this.answers().map(({ text }) => text);
  }
}

/** Waits until promises have settled. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise<void>((turn) => setImmediate(turn));
}
