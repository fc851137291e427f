/**
 * Terminal output of the demo: aligned, and in colour only on a terminal.
 *
 * @module
 */
import process from "node:process";
import type { ClusterEvent } from "./cluster.ts";
import type { NodeProcess } from "./process.ts";
import { shortName } from "./report.ts";
import type { Round } from "./round.ts";
import { RUNTIME_NAMES } from "./runtimes.ts";

/**
 * SGR codes of the terminal. The nodes have the colours of the page, as far as a terminal has them.
 */
const BOLD = "1";
const DIM = "2";
const RED = "31";
const GREEN = "32";
const NODE_COLOURS = ["34", "32", "33", "35", "36", "91", "94", "92", "95"] as const;

/** A stream to which the demo writes text. */
export interface Output {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** Prints text for people. */
export class Screen {
  readonly #output: Output;
  readonly #colour: boolean;
  /** Short names in order; a node's position determines its colour. */
  readonly #names: readonly string[];
  readonly #nameWidth: number;

  constructor(output: Output, names: readonly string[]) {
    this.#output = output;
    const { NO_COLOR, TERM } = process.env;
    this.#colour = output.isTTY === true && !NO_COLOR && TERM !== "dumb";
    this.#names = names;
    this.#nameWidth = Math.max(...names.map((name) => name.length));
  }

  line(text: string = ""): void {
    this.#output.write(`${text}\n`);
  }

  title(text: string): void {
    this.line(`\n  ${this.#paint(BOLD, text)}\n`);
  }

  good(text: string): void {
    this.line(`  ${this.#paint(GREEN, "✓")} ${text}`);
  }

  bad(text: string): void {
    this.line(`  ${this.#paint(RED, "✗")} ${text}`);
  }

  quiet(text: string): void {
    this.line(`  ${this.#paint(DIM, text)}`);
  }

  /** Prints the nodes, with their keys and the URLs of their pages. */
  nodes(nodes: readonly NodeProcess[]): void {
    const rows = nodes.map((node, index) => {
      const { runtime, page } = node.plan;
      const version = `${RUNTIME_NAMES[runtime]} ${node.version}`.trim();
      const state = node.state === "up" ? page : `${page}  (${node.state})`;
      return [
        `${index + 1}`,
        node.plan.name,
        node.state === "down" ? "–" : `${node.pid}`,
        version,
        state,
      ];
    });
    const table = [["", "node", "pid", "runtime", "page"], ...rows];
    const widths = table[0]!.map((_, column) =>
      Math.max(...table.map((row) => row[column]!.length))
    );
    table.forEach((row, index) => {
      const cells = row.map((cell, column) =>
        column === 2 ? cell.padStart(widths[2]!) : cell.padEnd(widths[column]!)
      );
      if (index === 0) return this.line(`  ${this.#paint(DIM, cells.join("  ").trimEnd())}`);
      cells[0] = this.#paint(BOLD, cells[0]!);
      cells[1] = this.#paint(this.#colourOf(nodes[index - 1]!.short), cells[1]!);
      this.line(`  ${cells.join("  ").trimEnd()}`);
    });
  }

  /** Prints the received broadcasts and their latencies. */
  round({ nodes, micros, timed, room, words }: Round): void {
    const names = nodes.map(shortName);
    const said = names.map((name, from) => `${name} says “${words[from]}”`);
    const corner = `in the room “${room}”`;
    const wide = Math.max(corner.length, ...said.map((text) => text.length));
    const cell = Math.max(7, this.#nameWidth);
    const head = names.map((name) => this.#paint(this.#colourOf(name), name.padStart(cell)));
    this.line(`  ${this.#paint(DIM, corner.padEnd(wide))}  ${head.join("  ")}`);
    micros.forEach((row, from) => {
      const name = names[from]!;
      const rest = said[from]!.slice(name.length).padEnd(wide - name.length);
      const cells = row.map((time) => (isNaN(time) ? "lost" : time.toFixed(0)).padStart(cell));
      this.line(`  ${this.#paint(this.#colourOf(name), name)}${rest}  ${cells.join("  ")}`);
    });
    this.line();
    this.quiet(`µs until the client at that node received it: the median of ${timed} broadcasts`);
  }

  /** Prints one line for an event. */
  event(event: ClusterEvent): void {
    const { node } = event;
    switch (event.kind) {
      case "started":
        return this.happened(node.short, `is started, as pid ${node.pid} ${after(event.ms)}`);
      case "met":
        return this.happened(node.short, `sees ${this.#name(event.other)} ${after(event.ms)}`);
      case "lost":
        return this.happened(
          node.short,
          `lost ${this.#name(event.other)}: ${event.reason} ${after(event.ms)}`,
        );
      case "ended":
        return this.happened(node.short, this.#paint(RED, event.words));
      case "refused":
        return this.happened(node.short, `refused ${event.words}`);
      case "log":
        return this.happened(node.short, this.#paint(DIM, event.line));
      default:
        event satisfies never;
    }
  }

  /** Prints one line with the time of day, for an event or an action of a node. */
  happened(short: string, words: string): void {
    const now = new Date();
    const two = (value: number): string => String(value).padStart(2, "0");
    const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(":");
    const fraction = String(now.getMilliseconds()).padStart(3, "0");
    const name = this.#paint(this.#colourOf(short), short.padEnd(this.#nameWidth));
    this.line(`  ${this.#paint(DIM, `${time}.${fraction}`)}  ${name}  ${words}`);
  }

  /** Prints the keys and their actions. */
  keys(count: number): void {
    const key = (text: string): string => this.#paint(BOLD, text.padEnd(8));
    const numbers = count === 1 ? "1" : `1 to ${count}`;
    this.line(`  ${key(numbers)} kill -9 that node's process; again: restart it`);
    this.line(
      `  ${key(`p, ${count === 1 ? "1" : `1-${count}`}`)} pause that node; again: resume it`,
    );
    this.line(`  ${key("m")} measure again`);
    this.line(`  ${key("?")} show the nodes and the keys`);
    this.line(`  ${key("q")} quit`);
    this.line();
  }

  #name(name: string): string {
    const short = shortName(name);
    return this.#paint(this.#colourOf(short), short);
  }

  #colourOf(short: string): string {
    return NODE_COLOURS[this.#names.indexOf(short) % NODE_COLOURS.length] ?? BOLD;
  }

  #paint(code: string, text: string): string {
    return this.#colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/** Returns the time since an action, as text. */
function after(ms: number): string {
  return `(${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms)`;
}
