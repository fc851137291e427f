/**
 * The environment as one interface: sockets, TLS, time, randomness, processes, signals.
 *
 * `deno.ts` and `bun.ts` implement the interface; no other file under `lib/` names a runtime. The
 * simulator is a third implementation.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { LogSink } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Claims, RejectionClaim } from "../base/rejections.ts";
import type { Address, Stream } from "./stream.ts";

/**
 * TLS options of a server: its certificates, and the certificate that clients must present. All
 * certificates and keys are PEM texts.
 */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /**
   * Certificates by server name: a client that asks for the name (SNI) receives its certificate.
   * `*.` at the beginning of a name stands for any one label.
   */
  readonly hosts?: Readonly<Record<string, { readonly cert: string; readonly key: string }>>;
  /** If set, the client must present a certificate signed by this authority. */
  readonly clientCa?: string | undefined;
  /**
   * Whether TLS 1.2 is accepted too, for clients other than nodes. Default: false, only TLS 1.3 is
   * accepted.
   */
  readonly takesTls12?: boolean | undefined;
}

/**
 * TLS options of a client: the authority that it trusts, and its own certificate. All certificates
 * and keys are PEM texts.
 */
export interface ClientTls {
  /** The authority that must have signed the server's certificate. */
  readonly ca: string;
  /**
   * The name that the server's certificate must contain. It does not depend on the dialed address.
   */
  readonly serverName: string;
  /**
   * Skips the comparison of the certificate with `serverName`, because the caller verifies the
   * certificate in another way. Default: false.
   */
  readonly anyName?: boolean | undefined;
  /** The certificate that is presented if the server requests one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /**
   * Whether TLS 1.2 is accepted too, for servers other than nodes. Default: false, only TLS 1.3 is
   * accepted.
   */
  readonly takesTls12?: boolean | undefined;
}

/** Options of `Host.listen`. */
export interface ListenOptions {
  readonly hostname: string;
  /** The port to listen on. With 0, the system chooses a free one. */
  readonly port: number;
  /**
   * Path of a Unix socket to listen on instead of `hostname` and `port`. TLS is not supported
   * there.
   */
  readonly unix?: string | undefined;
  readonly tls?: ServerTls | undefined;
  /**
   * Whether other processes of this user may listen on the same port. The system spreads
   * connections over these processes.
   */
  readonly reusePort?: boolean | undefined;
  /** Time limit of a client's TLS handshake, in milliseconds. */
  readonly handshakeMs?: number | undefined;
  /** Called with the client's address and the system's message when a TLS handshake fails. */
  readonly refused?: ((remote: Address, message: string) => void) | undefined;
  /** Called when the listener stops accepting connections, and when it resumes. */
  readonly report?: ((report: ListenerReport) => void) | undefined;
}

/**
 * Reports that an open listener has failed, or has recovered. The host retries until it recovers.
 */
export interface ListenerReport {
  /** The new state. Reports alternate: "failed", then "recovered". */
  readonly state: "failed" | "recovered";
  /** The cause of the failure, or the time until recovery. */
  readonly message: string;
}

/** An open listener. */
export interface Listener {
  readonly address: Address;
  /** Replaces the certificates for new connections. Open streams are not affected. */
  secure(tls: ServerTls): void;
  /** Stops accepting connections. Open streams are not affected. */
  close(): Promise<void>;
}

/** Options of `Host.connect`. */
export interface ConnectOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls?: ClientTls | undefined;
  /** Time limit for the whole attempt, including TLS, in milliseconds. */
  readonly timeoutMs: number;
  /** A signal that aborts the attempt to connect. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The reason why a connection could not be established.
 *
 * - `"refused"`: no process listens at the address;
 * - `"unreachable"`: there is no route, or the name does not exist;
 * - `"timeout"`: there was no answer in time;
 * - `"untrusted"`: the server's certificate is not trusted;
 * - `"broken"`: the connection broke while it was established;
 * - `"aborted"`: this side aborted it.
 */
export type ConnectFailure =
  | "refused"
  | "unreachable"
  | "timeout"
  | "untrusted"
  | "broken"
  | "aborted";

/**
 * The error of a connection that could not be established.
 *
 * @example
 * ```ts
 * import { ConnectError } from "@firn/firn/node";
 * import { connect } from "@firn/firn";
 *
 * // Returns whether a server answers at a URL.
 * async function answers(url: string): Promise<boolean> {
 *   try {
 *     const client = await connect(url);
 *     client.close();
 *     return true;
 *   } catch (error) {
 *     if (error instanceof ConnectError) return false;
 *     throw error;
 *   }
 * }
 * ```
 */
export class ConnectError extends Error {
  /** Name of the error class. */
  override readonly name = "ConnectError";
  /** Stable code of the reason. */
  readonly code: ConnectFailure;

  /** Creates an error with its code and message. */
  constructor(code: ConnectFailure, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The error of a listener that could not be opened. `code` is the system's code, such as
 * `"EADDRINUSE"`.
 *
 * @example
 * ```ts
 * import { ListenError, Node } from "@firn/firn";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const server = await node.serve({});
 * const error = await assertRejects(() => node.serve({ port: server.port }), ListenError);
 * assertEquals(error.code, "EADDRINUSE");
 * ```
 */
export class ListenError extends Error {
  /** Name of the error class. */
  override readonly name = "ListenError";
  /** The system's code of the error, such as `"EADDRINUSE"`. */
  readonly code: string;

  /** Creates an error with its code and message. */
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Options for starting a process, of this or the other runtime, with a TypeScript file. */
export interface SpawnOptions {
  readonly runtime: "deno" | "bun";
  readonly file: string;
  readonly args?: readonly string[] | undefined;
  /** Options of the runtime. Default: `-A` for Deno, none for Bun. */
  readonly flags?: readonly string[] | undefined;
  /**
   * Calls `errors` with every line of the process's standard error. Without this option, the lines
   * appear on the standard error of this process.
   */
  readonly errors?: ((line: string) => void) | undefined;
}

/** The signals that can be sent to a started process. */
export type ChildSignal = "SIGTERM" | "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGINT" | "SIGUSR2";

/**
 * A started process. Its standard input ends when this process ends, so that the started process
 * can exit too.
 */
export interface Child {
  readonly pid: number;
  /** Calls `each` with every line of the process's standard output. */
  lines(each: (line: string) => void): void;
  /** Writes to the process's standard input. */
  write(text: string): void;
  signal(name: ChildSignal): void;
  /** The exit status, or the name of the signal that ended the process. */
  readonly ended: Promise<number | string>;
}

/** The memory that a process uses, in bytes. */
export interface MemoryUse {
  /** The resident memory of the process. */
  readonly rss: number;
  /** The memory used by JavaScript objects. */
  readonly heapUsed: number;
  /** The engine's limit for JavaScript objects; 0 if unknown. */
  readonly heapLimit: number;
  /** The memory used by buffers outside of the heap. */
  readonly external: number;
}

/** The environment of a node: what it needs of the runtime and the machine. */
export interface Host {
  readonly runtime: "deno" | "bun";
  readonly clock: Clock;
  readonly random: Random;
  /** Receives the log entries of nodes without the option `log`, and prints them. */
  readonly log: LogSink;
  /** Listens, and calls `accept` with each new stream. Rejects with {@linkcode ListenError}. */
  listen(options: ListenOptions, accept: (stream: Stream) => void): Promise<Listener>;
  /**
   * Opens a stream. Resolves after TLS, if used, has verified the server. Rejects with
   * {@linkcode ConnectError}.
   */
  connect(options: ConnectOptions): Promise<Stream>;
  /**
   * Runs `task` at the next flush point, the end of this turn, just before streams send their
   * queued data. Tasks run in the order of the calls.
   */
  atFlush(task: () => void): void;
  /** Calls `task` after pending I/O and timers have been handled, even if this process is busy. */
  yieldToIo(task: () => void): void;
  /** Returns all addresses of a DNS name, or of an entry in the machine's hosts file. */
  lookup(hostname: string): Promise<string[]>;
  /** Returns the targets of a DNS service: its SRV records. */
  lookupService(service: string): Promise<{ hostname: string; port: number }[]>;
  /** Returns the text of a file. */
  readText(path: string): Promise<string>;
  /**
   * Calls `claims` with each unhandled rejection; a claimed rejection does not end the process.
   * Absent if the host does not control rejections.
   */
  claimRejections?(claims: Claims): RejectionClaim;
  /**
   * Receives the error of a listener of `node.on`, which is also logged. In the simulator, the run
   * fails with it.
   */
  listenerFailed?(error: unknown): void;
  spawn(options: SpawnOptions): Child;
  /**
   * Calls `task` at each SIGUSR1. Returns a function that removes the task. Absent on hosts without
   * signals.
   */
  onUserSignal?(task: () => void): () => void;
  /**
   * Writes a file. If it is created, only this user can read it. Throws if that fails. Absent if
   * there are no files.
   */
  writeText?(path: string, text: string): void;
  /**
   * Returns the memory of this process, or `undefined` if it cannot be read at present. Absent if
   * the host cannot determine it.
   */
  memory?(): MemoryUse | undefined;
  /**
   * Runs `task` when this process receives SIGTERM, which then does not end it. After the last such
   * task is done, the process exits with status 0. Returns a function that removes the task.
   */
  onTermination(task: () => Promise<void>): () => void;
  /**
   * Returns the text of a file that only this user can read, created with `make()` if it does not
   * exist.
   */
  secretFile(path: string, make: () => string): string;
}
