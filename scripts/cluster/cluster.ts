/**
 * The cluster of the demo: its processes, each node's view of the others, and a client per node.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import process from "node:process";
import { ChatClient } from "./client.ts";
import { NodeProcess, type ProcessPlan, type ProcessWatcher } from "./process.ts";
import type { NodeCard, Report } from "./report.ts";
import { playRound, type Round } from "./round.ts";
import { DemoError } from "./runtimes.ts";

/** An event of the demo. Times are in milliseconds since the action that caused it. */
export type ClusterEvent =
  | { readonly kind: "started"; readonly node: NodeProcess; readonly ms: number }
  | {
    readonly kind: "met";
    readonly node: NodeProcess;
    readonly other: string;
    readonly ms: number;
  }
  | {
    readonly kind: "lost";
    readonly node: NodeProcess;
    readonly other: string;
    readonly reason: string;
    readonly ms: number;
  }
  | { readonly kind: "ended"; readonly node: NodeProcess; readonly words: string }
  | { readonly kind: "refused"; readonly node: NodeProcess; readonly words: string }
  | { readonly kind: "log"; readonly node: NodeProcess; readonly line: string };

/** A running cluster of the demo: its processes, and a client for each node. */
export class Cluster implements ProcessWatcher {
  readonly nodes: readonly NodeProcess[];
  /** Receives all events. */
  onEvent: (event: ClusterEvent) => void = () => {};
  readonly #clients = new Map<NodeProcess, ChatClient>();
  /** The time of the last action on each node, by the node's name. */
  readonly #actedAt = new Map<string, number>();
  /** The reasons why nodes could not start. */
  readonly #reasons = new Map<NodeProcess, string>();
  /** Nodes that were killed on purpose. */
  readonly #killed = new Set<NodeProcess>();
  /** Functions that check again whether the condition of a pending wait holds. */
  readonly #looks = new Set<() => void>();
  #broken: DemoError | undefined;
  /**
   * Whether all nodes have been connected at least once. Before that, an unexpected exit of a node
   * counts as a failed start, and the demo fails.
   */
  #wasWhole = false;
  #rounds = 0;
  #stopping = false;

  constructor(plans: readonly ProcessPlan[]) {
    // A shell can connect if the cookie is set in the environment.
    const cookie = process.env["FIRN_COOKIE"] ?? randomBytes(32).toString("base64url");
    const cards = plans.map(({ name, page, runtime }): NodeCard => ({ name, page, runtime }));
    this.nodes = plans.map((plan) => {
      return new NodeProcess(
        plan,
        { name: plan.name, cookie, port: plan.port, nodes: cards },
        this,
      );
    });
  }

  /** Whether the cluster is being stopped. */
  get isStopping(): boolean {
    return this.#stopping;
  }

  /** Returns the nodes that run and are not paused. */
  get running(): readonly NodeProcess[] {
    return this.nodes.filter((node) => node.state === "up");
  }

  /** Whether every running node sees exactly the other running nodes. */
  get isWhole(): boolean {
    const { running } = this;
    if (this.nodes.some((node) => node.state === "starting")) return false;
    return running.every((node) =>
      node.peers.size === running.length - 1 &&
      running.every((other) => other === node || node.peers.has(other.plan.name))
    );
  }

  /**
   * Returns a line with the state of each node. For a running node, it includes the number of peers
   * that the node sees.
   */
  inWords(): string {
    const words = ({ short, state, peers }: NodeProcess): string =>
      `${short} is ${state}${state === "up" ? ` and sees ${peers.size}` : ""}`;
    return this.nodes.map(words).join(", ");
  }

  start(node: NodeProcess): void {
    this.#actedAt.set(node.plan.name, performance.now());
    node.start();
  }

  kill(node: NodeProcess): void {
    if (node.state === "down") return;
    this.#actedAt.set(node.plan.name, performance.now());
    this.#killed.add(node);
    node.kill();
  }

  pause(node: NodeProcess): void {
    this.#actedAt.set(node.plan.name, performance.now());
    node.pause();
  }

  resume(node: NodeProcess): void {
    this.#actedAt.set(node.plan.name, performance.now());
    node.resume();
  }

  /** Waits until every running node sees every other. */
  untilWhole(): Promise<void> {
    return this.until(() => this.isWhole);
  }

  /** Waits for a condition. Rejects if a node cannot start, or the cluster is stopped. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((came, failed) => {
      const look = (): void => {
        if (this.#broken === undefined && !condition()) return;
        this.#looks.delete(look);
        if (this.#broken === undefined) came();
        else failed(this.#broken);
      };
      this.#looks.add(look);
      look();
    });
  }

  /** Runs a round with a client at each running node. */
  async play(): Promise<Round> {
    const clients = await Promise.all(this.running.map((node) => this.#clientOf(node)));
    return await playRound(clients, `round ${++this.#rounds}`);
  }

  /** Ends all processes and clients. Resolves when no process is left. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#fail("the cluster was stopped");
    // Closes the clients concurrently, because the client of a hanging process closes only when the
    // process ends.
    const closed = [...this.#clients.values()].map((client) => client.close());
    await Promise.all([...closed, ...this.nodes.map((node) => node.stop())]);
  }

  /** Called by a process when it has sent a report. */
  reported(node: NodeProcess, report: Report): void {
    switch (report.kind) {
      case "ready":
        this.onEvent({ kind: "started", node, ms: this.#since(node.plan.name) });
        break;
      case "failed":
        this.#reasons.set(node, report.message);
        break;
      case "nodeup":
        this.onEvent({
          kind: "met",
          node,
          other: report.node,
          ms: this.#sinceEither(node, report.node),
        });
        break;
      case "nodedown": {
        if (this.#stopping) break;
        const { node: other, reason } = report;
        this.onEvent({ kind: "lost", node, other, reason, ms: this.#sinceEither(node, other) });
        break;
      }
      case "refused":
        this.onEvent({ kind: "refused", node, words: `${report.peer}: ${report.words}` });
        break;
      case "log":
        this.onEvent({ kind: "log", node, line: report.line });
        break;
      default:
        report satisfies never;
    }
    this.#lookAll();
  }

  /** Called by a process when it has exited. */
  ended(node: NodeProcess, how: number | string, lastWords: string): void {
    void this.#clients.get(node)?.close();
    this.#clients.delete(node);
    const meant = this.#killed.delete(node) || this.#stopping;
    if (!meant) {
      const reason = this.#reasons.get(node) ?? lastWords.split("\n").findLast(isReason);
      const plain = typeof how === "number" ? `ended with status ${how}` : `was ended by ${how}`;
      const words = reason === undefined ? plain : `${plain}: ${reason.trim()}`;
      if (this.#wasWhole) this.onEvent({ kind: "ended", node, words });
      else this.#fail(`${node.short} ${words}`);
    }
    this.#reasons.delete(node);
    this.#lookAll();
  }

  async #clientOf(node: NodeProcess): Promise<ChatClient> {
    const known = this.#clients.get(node);
    if (known?.isOpen) return known;
    const client = await ChatClient.open(node.plan.name, node.url);
    this.#clients.set(node, client);
    return client;
  }

  /**
   * Returns the milliseconds since the last action on a node. Every node has been started, so at
   * least one action exists.
   */
  #since(name: string): number {
    return performance.now() - (this.#actedAt.get(name) ?? 0);
  }

  /**
   * Returns the milliseconds since the last action on either of two nodes. This action is regarded
   * as the cause of an event between the two nodes.
   */
  #sinceEither(node: NodeProcess, other: string): number {
    return Math.min(this.#since(node.plan.name), this.#since(other));
  }

  #fail(why: string): void {
    this.#broken ??= new DemoError(why);
    this.#lookAll();
  }

  #lookAll(): void {
    this.#wasWhole ||= this.running.length === this.nodes.length && this.isWhole;
    for (const look of [...this.#looks]) look();
  }
}

/** Returns whether a line of standard error explains why the process exited. */
function isReason(line: string): boolean {
  return /error|cannot|panic/i.test(line);
}
