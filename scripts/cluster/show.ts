/**
 * The interactive demo: keys break and repair the cluster, and the effects are printed.
 *
 * @module
 */
import type { Cluster } from "./cluster.ts";
import type { NodeProcess } from "./process.ts";
import type { Round } from "./round.ts";
import { DemoError } from "./runtimes.ts";
import type { Screen } from "./screen.ts";

/** The actions of the keys. */
export class Show {
  readonly #cluster: Cluster;
  readonly #screen: Screen;
  readonly #quit: () => void;
  /** Whether `p` was pressed last, so that the next number key pauses a node. */
  #pausing = false;
  /** Whether a round is running. */
  #playing = false;

  constructor(cluster: Cluster, screen: Screen, quit: () => void) {
    this.#cluster = cluster;
    this.#screen = screen;
    this.#quit = quit;
  }

  /** Performs the action of a key. */
  press(key: string): void {
    const pausing = this.#pausing;
    this.#pausing = key === "p";
    const node = this.#cluster.nodes[Number(key) - 1];
    if (node !== undefined) return pausing ? this.#pause(node) : this.#kill(node);
    if (key === "q") this.#quit();
    else if (key === "m") void this.#measure();
    else if (key === "?" || key === "h") this.help();
  }

  /** Prints the nodes and the keys. */
  help(): void {
    this.#screen.line();
    this.#screen.nodes(this.#cluster.nodes);
    this.#screen.line();
    this.#screen.keys(this.#cluster.nodes.length);
  }

  #kill(node: NodeProcess): void {
    if (node.state === "down") {
      this.#cluster.start(node);
      this.#screen.happened(node.short, "is restarted");
      void this.#whole(node);
    } else {
      this.#screen.happened(node.short, `is killed (kill -9 ${node.pid})`);
      this.#cluster.kill(node);
    }
  }

  #pause(node: NodeProcess): void {
    if (node.state === "up") {
      this.#screen.happened(
        node.short,
        `is paused (kill -STOP ${node.pid}); the others will notice it soon`,
      );
      this.#cluster.pause(node);
    } else if (node.state === "paused") {
      this.#screen.happened(node.short, `is resumed (kill -CONT ${node.pid})`);
      this.#cluster.resume(node);
      void this.#whole(node);
    }
  }

  /** Waits until a node is connected again, and runs a round. */
  async #whole(node: NodeProcess): Promise<void> {
    await this.#try(async () => {
      await this.#cluster.until(() => node.state === "down" || this.#cluster.isWhole);
      if (node.state !== "up") return;
      const round = await this.#play();
      if (round !== undefined) this.#screen.happened(node.short, inWords(round));
    });
  }

  async #measure(): Promise<void> {
    await this.#try(async () => {
      const round = await this.#play();
      if (round === undefined) return;
      this.#screen.line();
      this.#screen.round(round);
      this.#screen.line();
    });
  }

  /** Runs a round, unless one is running. */
  async #play(): Promise<Round | undefined> {
    if (this.#playing) return undefined;
    this.#playing = true;
    try {
      return await this.#cluster.play();
    } finally {
      this.#playing = false;
    }
  }

  async #try(deed: () => Promise<void>): Promise<void> {
    try {
      await deed();
    } catch (error) {
      if (!(error instanceof DemoError)) throw error;
      if (!this.#cluster.isStopping) this.#screen.bad(error.message);
    }
  }
}

/** Formats a round as one line. */
function inWords({ nodes, micros, delivered, expected, faults }: Round): string {
  if (faults.length > 0) return faults[0]!;
  if (delivered < expected) return `only ${delivered} of ${expected} messages were delivered`;
  const times = micros.flat().toSorted((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)]!.toFixed(0);
  return nodes.length === 1
    ? `receives its own broadcasts again, in ${median} µs`
    : `is connected again: all ${nodes.length} receive all, median ${median} µs`;
}
