/** A network namespace with its own name server, which is a dnsmasq process. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Child } from "../../lib/host/host.ts";
import { spawnChild } from "../../lib/host/system.ts";
import { type Launch, TwoMachines } from "./netns.ts";

function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: "pipe" });
}

/** A network namespace with its own name server. */
export class NamedMachine {
  readonly #name = `firn-${process.pid}-dns`;
  readonly #folder = mkdtempSync(join(tmpdir(), "firn-dns-"));
  readonly #server: Child;

  /**
   * Starts the name server. `records` are options of dnsmasq, such as `--srv-host=…`; host names
   * are set by `addHost`.
   */
  constructor(...records: string[]) {
    ip("netns", "add", this.#name);
    ip("-n", this.#name, "link", "set", "lo", "up");
    // `ip netns exec` shows this file to processes as /etc/resolv.conf.
    mkdirSync(`/etc/netns/${this.#name}`, { recursive: true });
    writeFileSync(`/etc/netns/${this.#name}/resolv.conf`, "nameserver 127.0.0.1\n");
    mkdirSync(join(this.#folder, "hosts"));
    this.#server = this.#spawn("dnsmasq", [
      "--keep-in-foreground",
      "--no-resolv",
      "--no-hosts",
      "--local-ttl=0",
      "--pid-file=",
      "--user=root",
      "--listen-address=127.0.0.1",
      "--bind-interfaces",
      `--hostsdir=${join(this.#folder, "hosts")}`,
      ...records,
    ]);
  }

  /**
   * Returns whether this machine has `dnsmasq` and all that {@link TwoMachines} needs.
   */
  static isPossible(): boolean {
    if (!TwoMachines.isPossible()) return false;
    try {
      execFileSync("dnsmasq", ["--version"], { stdio: "pipe" });
      return true;
    } catch {
      return false;
    }
  }

  /** Starts a process in this namespace. */
  readonly launch: Launch = (runtime, file) => {
    const bin = process.env[runtime === "deno" ? "DENO_BIN" : "BUN_BIN"] ?? runtime;
    return this.#spawn(bin, runtime === "deno" ? ["run", "-A", file] : [file]);
  };

  /** Adds addresses to a name. The name server uses them within milliseconds. */
  addHost(name: string, ...addresses: string[]): void {
    const lines = addresses.map((address) => `${address} ${name}\n`).join("");
    writeFileSync(join(this.#folder, "hosts", addresses.join("+")), lines);
  }

  /** Stops the name server and removes the namespace. Its other processes must have exited. */
  async remove(): Promise<void> {
    this.#server.signal("SIGKILL");
    await this.#server.ended;
    ip("netns", "del", this.#name);
    rmSync(`/etc/netns/${this.#name}`, { recursive: true });
    rmSync(this.#folder, { recursive: true });
  }

  #spawn(command: string, args: readonly string[]): Child {
    return spawnChild("ip", ["netns", "exec", this.#name, command, ...args]);
  }
}
