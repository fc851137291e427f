/**
 * The outside world as one interface: sockets, TLS, time, chance, processes, signals.
 *
 * `deno.ts` and `bun.ts` implement it; nothing else under `lib/` names a runtime. The simulator is
 * a third.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { LogSink } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Address, Stream } from "./stream.ts";

/** What the accepting side of TLS shows, and what it asks for. PEM texts. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** Given: the dialler must show a certificate that this authority signed. */
  readonly clientCa?: string | undefined;
  /** Accepts TLS 1.2 as well, for clients that are not ours. Default: 1.3 only. */
  readonly takesTls12?: boolean | undefined;
}

/** Whom the dialling side of TLS believes, and what it shows. PEM texts. */
export interface ClientTls {
  /** The authority that must have signed the acceptor's certificate. */
  readonly ca: string;
  /** The name that must stand in the acceptor's certificate, whatever address was dialled. */
  readonly serverName: string;
  /** Does not compare the certificate with `serverName`: the caller compares it with something else. */
  readonly anyName?: boolean | undefined;
  /** Shown to the acceptor if it asks. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Accepts TLS 1.2 as well, for servers that are not ours. Default: 1.3 only. */
  readonly takesTls12?: boolean | undefined;
}

/** How to listen. */
export interface ListenOptions {
  readonly hostname: string;
  /** 0: the system chooses one. */
  readonly port: number;
  readonly tls?: ServerTls | undefined;
  /** A TLS handshake may take this long. Milliseconds. */
  readonly handshakeMs?: number | undefined;
  /** A dialler did not get through TLS: who, and the system's word for why. */
  readonly refused?: ((remote: Address, message: string) => void) | undefined;
  /** The listener does not accept connections, or does again. */
  readonly report?: ((report: ListenerReport) => void) | undefined;
}

/** A listener has failed while it was open, or has recovered. The host retries until it recovers. */
export interface ListenerReport {
  /** "failed" once, then "recovered" once. */
  readonly state: "failed" | "recovered";
  /** Why it failed, or after how long it recovered. */
  readonly message: string;
}

/** An open listener. */
export interface Listener {
  readonly address: Address;
  /** Shows these certificates from now on; open streams go on. */
  secure(tls: ServerTls): void;
  /** Accepts no more. Open streams go on. */
  close(): Promise<void>;
}

/** How to connect. */
export interface ConnectOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls?: ClientTls | undefined;
  /** For the whole of it, TLS included. Milliseconds. */
  readonly timeoutMs: number;
  /** Gives it up. */
  readonly signal?: AbortSignal | undefined;
}

/** Why a connection could not be made, in one word. */
export type ConnectFailure =
  /** Nobody listens there. */
  | "refused"
  /** There is no way there, or no such name. */
  | "unreachable"
  /** No answer in time. */
  | "timeout"
  /** The acceptor's certificate is not one we believe. */
  | "untrusted"
  /** It broke off on the way. */
  | "broken"
  /** This side gave it up. */
  | "aborted";

/** A connection could not be made. */
export class ConnectError extends Error {
  /** Tells the class of the error. */
  override readonly name = "ConnectError";
  /** Which of the reasons. */
  readonly code: ConnectFailure;

  /** With its code and words. */
  constructor(code: ConnectFailure, message: string) {
    super(message);
    this.code = code;
  }
}

/** A port that cannot be listened on. `code` is the system's word, such as `"EADDRINUSE"`. */
export class ListenError extends Error {
  /** Tells the class of the error. */
  override readonly name = "ListenError";
  /** The system's word for it. */
  readonly code: string;

  /** With its code and words. */
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** How to start a process: this runtime, or the other, on a TypeScript file. */
export interface SpawnOptions {
  readonly runtime: "deno" | "bun";
  readonly file: string;
  readonly args?: readonly string[] | undefined;
}

/** A process that was started. Its standard input ends when ours does, so it can end with us. */
export interface Child {
  readonly pid: number;
  /** Called with each line it prints. */
  lines(each: (line: string) => void): void;
  /** Writes to its standard input. */
  write(text: string): void;
  signal(name: "SIGTERM" | "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGINT"): void;
  /** Its exit status, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/** The outside world. */
export interface Host {
  readonly runtime: "deno" | "bun";
  readonly clock: Clock;
  readonly random: Random;
  /** Prints log lines for a person. */
  readonly log: LogSink;
  /** Rejects with {@linkcode ListenError}. */
  listen(options: ListenOptions, accept: (stream: Stream) => void): Promise<Listener>;
  /** Rejects with {@linkcode ConnectError}. Resolves only when TLS has verified the acceptor. */
  connect(options: ConnectOptions): Promise<Stream>;
  /**
   * Runs `task` at the next flush point, the end of this turn, just before streams send what they
   * queued. Tasks run in the order given.
   */
  atFlush(task: () => void): void;
  /** Calls `task` when sockets and timers have had a turn, however busy this process is. */
  yieldToIo(task: () => void): void;
  /** Returns all addresses of a DNS name, or of an entry in the machine's hosts file. */
  lookup(hostname: string): Promise<string[]>;
  /** Returns the targets of a DNS service: its SRV records. */
  lookupService(service: string): Promise<{ hostname: string; port: number }[]>;
  /** Returns the text of a file. */
  readText(path: string): Promise<string>;
  /**
   * Asks `claims` about each rejection that nothing has handled: one that it claims does not end the process.
   * Returns what takes that back. Absent where rejections are not the host's.
   */
  claimRejections?(claims: (reason: unknown) => boolean): () => void;
  spawn(options: SpawnOptions): Child;
  /**
   * Runs `task` when this process gets SIGTERM, which does not end it then; once the last such task is done
   * the process exits with 0. Returns what removes it.
   */
  onTermination(task: () => Promise<void>): () => void;
  /** The text of a file that only this user may read, made with `make()` if it is not there. */
  secretFile(path: string, make: () => string): string;
}
