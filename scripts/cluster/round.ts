/**
 * A round: one client at each node joins a room and broadcasts in turn, and the round records which
 * clients received which broadcasts, and after how many microseconds. Each expected message must
 * arrive exactly once, and no other messages.
 *
 * @module
 */
import type { ChatClient } from "./client.ts";
import type { ServerMessage } from "./protocol.ts";
import { shortName } from "./report.ts";
import { DemoError } from "./runtimes.ts";

/** Time in milliseconds after which a message that has not arrived counts as lost. */
const ARRIVAL_MS = 3_000;

/**
 * Maximum number of broadcasts that do not reach all nodes. If there are more, the round is
 * aborted.
 */
const LOSSES_MAX = 2;

/** Interval in milliseconds of the broadcasts that are sent until all nodes know all members. */
const PROBE_MS = 50;

/** Number of broadcasts that each node sends as a warm-up, before the measured ones. */
const WARM_UPS = 5;

/** Number of measured broadcasts of each node. */
const TIMED = 20;

/** The result of a round. */
export interface Round {
  /** The short names of the nodes. */
  readonly nodes: readonly string[];
  /** The median latency in microseconds, by sending node (row) and receiving node (column). */
  readonly micros: readonly (readonly number[])[];
  readonly timed: number;
  readonly room: string;
  /** The broadcast text of each node. */
  readonly words: readonly string[];
  /** Number of messages that arrived. */
  readonly delivered: number;
  /** Number of messages that should arrive. */
  readonly expected: number;
  /** Descriptions of unexpected messages. */
  readonly faults: readonly string[];
}

/**
 * Runs a round in a room without other members. Rejects if a client loses its connection, or too
 * many broadcasts are lost.
 */
export async function playRound(clients: readonly ChatClient[], room: string): Promise<Round> {
  const ledger = new Ledger(clients, room);
  try {
    const micros = await ledger.fill();
    const { delivered, expected, faults } = ledger;
    const nodes = clients.map((client) => client.node);
    const words = clients.map(wordsOf);
    return { nodes, micros, timed: TIMED, room, words, delivered, expected, faults };
  } finally {
    ledger.close();
  }
}

/** Counts the messages that the clients receive. */
class Ledger {
  delivered = 0;
  expected = 0;
  readonly faults: string[] = [];
  readonly #clients: readonly ChatClient[];
  readonly #room: string;
  readonly #in = new Set<ChatClient>();
  /** The numbers of the broadcasts by which a node determines whether it knows all members. */
  readonly #probes = new Set<number>();
  #sent = 0;
  #from: ChatClient | undefined;
  #sentAt = 0;
  /** The clients that have received the last broadcast, each with its latency in microseconds. */
  #observed = new Map<ChatClient, number>();
  /** Checks whether the condition of the pending wait holds, and ends the wait if so. */
  #look: () => void = () => {};
  /** Number of broadcasts that did not reach all nodes. */
  #losses = 0;
  /** The node whose client has lost its connection. */
  #lost: string | undefined;

  constructor(clients: readonly ChatClient[], room: string) {
    this.#clients = clients;
    this.#room = room;
    for (const client of clients) {
      client.observed = (message, at) => {
        this.#take(client, message, at);
        this.#look();
      };
      client.lost = () => {
        this.#lost ??= client.node;
        this.#look();
      };
    }
  }

  /** Lets all clients broadcast in turn. Returns the median latency of each pair. */
  async fill(): Promise<number[][]> {
    for (const client of this.#clients) client.say({ type: "join", room: this.#room });
    await this.#until(() => this.#in.size === this.#clients.length);
    const micros: number[][] = [];
    for (const from of this.#clients) await this.#untilReceived(from);
    for (const from of this.#clients) {
      const times: number[][] = this.#clients.map(() => []);
      for (let n = 0; n < WARM_UPS + TIMED; n++) {
        const took = await this.#send(from, "broadcast");
        if (n >= WARM_UPS) took.forEach((time, to) => time !== undefined && times[to]!.push(time));
      }
      micros.push(times.map(median));
      await this.#send(from, "broadcastFrom");
    }
    // The reply to `leave` arrives after all other messages in transit to a client.
    for (const client of this.#clients) client.say({ type: "leave", room: this.#room });
    await this.#until(() => this.#in.size === 0);
    return micros;
  }

  /** Removes the listeners of all clients. */
  close(): void {
    for (const client of this.#clients) client.observed = client.lost = undefined;
  }

  /**
   * Lets one client broadcast until its node knows the members on all nodes. These broadcasts are
   * not counted.
   */
  async #untilReceived(from: ChatClient): Promise<void> {
    this.#from = from;
    this.#observed = new Map();
    const data = { text: wordsOf(from), number: ++this.#sent };
    const say = (): void => from.say({ type: "broadcast", room: this.#room, data });
    this.#probes.add(data.number);
    const again = setInterval(say, PROBE_MS);
    say();
    try {
      await this.#until(() => this.#observed.size >= this.#clients.length);
    } finally {
      clearInterval(again);
    }
  }

  /** Lets one client broadcast. Returns the microseconds until each client received it. */
  async #send(
    from: ChatClient,
    type: "broadcast" | "broadcastFrom",
  ): Promise<(number | undefined)[]> {
    const count = this.#clients.length - (type === "broadcast" ? 0 : 1);
    this.expected += count;
    this.#from = from;
    this.#observed = new Map();
    const data = { text: wordsOf(from), number: ++this.#sent };
    this.#sentAt = performance.now();
    from.say({ type, room: this.#room, data });
    await this.#until(() => this.#observed.size >= count);
    if (this.#observed.size < count && ++this.#losses > LOSSES_MAX) {
      const why = `only ${this.delivered} of ${this.expected} messages arrived`;
      throw new DemoError(this.faults[0] ?? why);
    }
    if (type === "broadcastFrom" && this.#observed.has(from)) {
      this.faults.push(`${from.node} received its own broadcastFrom`);
    }
    return this.#clients.map((client) => this.#observed.get(client));
  }

  #take(client: ChatClient, message: ServerMessage, at: number): void {
    if (message.type === "joined") this.#in.add(client);
    else if (message.type === "left") this.#in.delete(client);
    else if (message.type !== "message") {
      this.faults.push(`${client.node} received ${JSON.stringify(message)}`);
    } else if (this.#probes.has((message.data as { number: number }).number)) {
      if (this.#isExpected(message)) this.#observed.set(client, 0);
    } else if (!this.#isExpected(message) || this.#observed.has(client)) {
      this.faults.push(`${client.node} received unexpectedly: ${JSON.stringify(message)}`);
    } else {
      this.#observed.set(client, (at - this.#sentAt) * 1000);
      this.delivered++;
    }
  }

  #isExpected({ room, data, from }: ServerMessage & { type: "message" }): boolean {
    const { number } = data as { number?: unknown };
    return room === this.#room && number === this.#sent && from === this.#from?.node;
  }

  /** Waits for a condition, for a limited time. Rejects if a client has lost its connection. */
  #until(condition: () => boolean): Promise<void> {
    return new Promise((done, failed) => {
      const patience = setTimeout(() => end(done), ARRIVAL_MS);
      const end = (settle: () => void): void => {
        clearTimeout(patience);
        this.#look = () => {};
        settle();
      };
      this.#look = () => {
        if (this.#lost !== undefined) {
          const why = `the WebSocket to ${shortName(this.#lost)} was lost`;
          end(() => failed(new DemoError(why)));
        } else if (condition()) end(done);
      };
      this.#look();
    });
  }
}

/** Returns the text of a broadcast. */
function wordsOf(client: ChatClient): string {
  return `hello from ${shortName(client.node)}`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
