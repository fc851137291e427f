/** Two network namespaces, connected by a link that the test can cut. */
import { execFileSync } from "node:child_process";
import process from "node:process";
import type { Child } from "../../lib/host/host.ts";
import { spawnChild } from "../../lib/host/system.ts";
import type { Runtime } from "./process.ts";

function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: "pipe" });
}

/** Starts a process in a namespace. */
export type Launch = (runtime: Runtime, file: string) => Child;

/** Two namespaces with the addresses `10.99.x.1` and `10.99.x.2`. */
export class TwoMachines {
  readonly addresses: readonly [string, string];
  readonly #names: readonly [string, string];

  constructor() {
    const number = process.pid % 250;
    this.addresses = [`10.99.${number}.1`, `10.99.${number}.2`];
    this.#names = [`firn-${process.pid}-a`, `firn-${process.pid}-b`];
    const [a, b] = this.#names;
    const wires = [`fa${process.pid % 100_000}`, `fb${process.pid % 100_000}`] as const;
    for (const name of this.#names) ip("netns", "add", name);
    ip("link", "add", wires[0], "type", "veth", "peer", "name", wires[1]);
    for (const [i, name] of [a, b].entries()) {
      ip("link", "set", wires[i]!, "netns", name!);
      ip("-n", name!, "addr", "add", `${this.addresses[i]}/24`, "dev", wires[i]!);
      ip("-n", name!, "link", "set", "lo", "up");
      ip("-n", name!, "link", "set", wires[i]!, "up");
    }
  }

  /**
   * Returns whether this machine supports network namespaces and has `iptables`. Network namespaces
   * need Linux, root and `ip`.
   */
  static isPossible(): boolean {
    const name = `firn-${process.pid}-try`;
    try {
      ip("netns", "add", name);
    } catch {
      return false;
    }
    try {
      execFileSync("ip", ["netns", "exec", name, "iptables", "-L"], { stdio: "pipe" });
      return true;
    } catch {
      return false;
    } finally {
      ip("netns", "del", name);
    }
  }

  /** Starts a process in one of the two namespaces. */
  launch(machine: 0 | 1): Launch {
    return (runtime, file) => {
      const bin = process.env[runtime === "deno" ? "DENO_BIN" : "BUN_BIN"] ?? runtime;
      const args = runtime === "deno" ? ["run", "-A", file] : [file];
      return spawnChild("ip", ["netns", "exec", this.#names[machine], bin, ...args]);
    };
  }

  /** Silently drops every packet between the two namespaces, in both directions. */
  cut(): void {
    for (const [i, name] of this.#names.entries()) {
      const other = this.addresses[1 - i]!;
      execFileSync("ip", [
        "netns",
        "exec",
        name,
        "iptables",
        "-A",
        "INPUT",
        "-s",
        other,
        "-j",
        "DROP",
      ]);
    }
  }

  /** Stops dropping packets. */
  heal(): void {
    for (const name of this.#names) {
      execFileSync("ip", ["netns", "exec", name, "iptables", "-F"]);
    }
  }

  /** Removes the namespaces. Their processes must have exited. */
  remove(): void {
    for (const name of this.#names) ip("netns", "del", name);
  }
}

/** Several namespaces with the addresses `10.98.x.1`, `.2`, …, fully connected by links. */
export class Machines {
  readonly addresses: readonly string[];
  readonly #names: readonly string[];

  constructor(count: number) {
    const { pid } = process;
    this.addresses = Array.from({ length: count }, (_, i) => `10.98.${pid % 250}.${i + 1}`);
    this.#names = Array.from({ length: count }, (_, i) => `firn-${pid}-m${i}`);
    for (const [i, name] of this.#names.entries()) {
      ip("netns", "add", name);
      ip("-n", name, "link", "set", "lo", "up");
      ip("-n", name, "addr", "add", `${this.addresses[i]}/32`, "dev", "lo");
      for (let j = 0; j < i; j++) this.#join(i, j);
    }
  }

  /**
   * Starts a process in one of the namespaces. `wrap` precedes its command, for example `faketime`.
   */
  launch(machine: number, ...wrap: readonly string[]): Launch {
    return (runtime, file) => {
      const bin = process.env[runtime === "deno" ? "DENO_BIN" : "BUN_BIN"] ?? runtime;
      const args = runtime === "deno" ? ["run", "-A", file] : [file];
      return spawnChild("ip", ["netns", "exec", this.#names[machine]!, ...wrap, bin, ...args]);
    };
  }

  /**
   * Drops every packet from one namespace to another, and in the other direction unless `oneWay`.
   */
  cut(from: number, to: number, { oneWay = false }: { readonly oneWay?: boolean } = {}): void {
    this.#iptables(to, "-A", "INPUT", "-s", this.addresses[from]!, "-j", "DROP");
    if (!oneWay) this.cut(to, from, { oneWay: true });
  }

  /** Stops dropping packets. */
  heal(): void {
    for (const i of this.#names.keys()) this.#iptables(i, "-F");
  }

  /** Removes the namespaces. Their processes must have exited. */
  remove(): void {
    for (const name of this.#names) ip("netns", "del", name);
  }

  #join(i: number, j: number): void {
    const wires = [`w${process.pid % 100_000}x${i}${j}`, `w${process.pid % 100_000}x${j}${i}`];
    ip("link", "add", wires[0]!, "type", "veth", "peer", "name", wires[1]!);
    for (const [end, [here, there]] of [[i, j], [j, i]].entries()) {
      const [name, wire] = [this.#names[here!]!, wires[end]!];
      ip("link", "set", wire, "netns", name);
      ip("-n", name, "link", "set", wire, "up");
      const [from, to] = [this.addresses[here!]!, this.addresses[there!]!];
      ip("-n", name, "route", "add", `${to}/32`, "dev", wire, "src", from);
    }
  }

  #iptables(machine: number, ...args: readonly string[]): void {
    execFileSync("ip", ["netns", "exec", this.#names[machine]!, "iptables", ...args]);
  }
}
