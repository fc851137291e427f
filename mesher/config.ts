/**
 * The configuration of a node, from environment variables and the command line. Deterministic.
 *
 * @module
 */
import { type AddressRange, type Allowed, allowedFrom, rangesFrom } from "./domain/address.ts";
import { firstLoginPath } from "./first_login.ts";
import { PASSWORD_COST, type PasswordCost } from "./domain/password.ts";
import type { MailConfig } from "./pipeline/mail.ts";
import type { StorageConfig } from "./storage/open.ts";

/** The name of a node in its cluster, the cookie and the peers. */
export interface ClusterConfig {
  /** The name of the node, `name@host:port`. */
  readonly name: string;
  readonly cookie: string;
  readonly peers: readonly string[];
}

/** The configuration of a node. */
export interface Config {
  /** The name, cookie and peers of the node in its cluster. Null for a node without a cluster. */
  readonly cluster: ClusterConfig | null;
  readonly hostname: string;
  readonly httpPort: number;
  /** A second port for streams. If it is null, streams are served on `httpPort` only. */
  readonly wsPort: number | null;
  /** `postgres://…`, or the path of a SQLite file, or `:memory:`. */
  readonly database: string;
  /** The path of the file into which the first start writes the first login. */
  readonly firstLogin: string;
  /** Maximum number of events of one project per minute, over all nodes. */
  readonly ratePerMinute: number;
  /** Number of events in five seconds above which a node starts a helper on another node. */
  readonly loadThreshold: number;
  /**
   * The cost of password hashes. Hashes with another cost stay valid, and are replaced at the next
   * login.
   */
  readonly passwordCost: PasswordCost;
  /** Whether cookies are only sent over https. */
  readonly secureCookies: boolean;
  /** Internal targets that webhooks are allowed to reach. */
  readonly webhookAllow: Allowed;
  /**
   * The public URL of the page, without a trailing slash. If it is null, the node's own URL is
   * used.
   */
  readonly publicUrl: string | null;
  /** The settings for sending mail. If they are null, no mail is sent. */
  readonly mail: MailConfig | null;
  /** Trusted proxies, whose X-Forwarded-For header is used. */
  readonly proxies: readonly AddressRange[];
}

/** The options of the command line. */
export interface Command {
  readonly help: boolean;
  /** Number of nodes to run as processes on this machine. */
  readonly nodes: number;
  /** Whether to keep all data in memory, so that it is lost when the node ends. */
  readonly memory: boolean;
  /** A one-time task instead of running a node. */
  readonly admin: AdminCommand | null;
}

/** A one-time task of an administrator. */
export type AdminCommand =
  /** Sets a new password for an account, and changes nothing else. */
  | { readonly kind: "reset"; readonly email: string }
  /** Copies the current database while nodes run. */
  | { readonly kind: "backup"; readonly file: string }
  /** Replaces the database with a copy; no node may be running. */
  | { readonly kind: "restore"; readonly file: string }
  /** Copies a SQLite file into an empty PostgreSQL database. */
  | { readonly kind: "migrate"; readonly file: string };

/** The error of an invalid setting. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** The default database: a SQLite file in the current folder. */
export const DATABASE_DEFAULT = "mesher.db";
/** The default limit of events of one project per minute. */
export const RATE_PER_MINUTE_DEFAULT = 60_000;
/** The default number of events in five seconds above which a node requests help. */
export const LOAD_THRESHOLD_DEFAULT = 100;
/** Maximum number of processes on one machine. */
export const NODES_MAX = 16;
/** The highest valid port. */
export const PORT_MAX = 65_535;

/** The text of `--help`. */
export const HELP: string = `Mesher: errors of your programs, gathered and grouped, on Firn

  deno task mesher                one node, with its data in ${DATABASE_DEFAULT}
  deno task mesher --memory       one node that keeps nothing
  deno task mesher --nodes 3      three processes on this machine that are one Mesher

  deno task mesher admin reset EMAIL    prints a new password for an account; ends its sessions
  deno task mesher admin backup FILE    copies the database, while nodes run
  deno task mesher admin restore FILE   puts that copy in its place, while none runs
                                        (PostgreSQL: by pg_dump and pg_restore)
  deno task mesher admin migrate FILE   copies a file of SQLite into the empty PostgreSQL
                                        database of DATABASE_URL; no node may run

  --nodes N     how many processes (1 to ${NODES_MAX}), each ten ports after the one before;
                one that is killed is started again
  --memory      an empty database that is gone when it stops
  --help        this

Environment:
  MESHER_NODE_NAME       name@host:port; with MESHER_COOKIE the node is part of a cluster
  MESHER_COOKIE          the cluster's secret; beyond this machine: openssl rand -hex 16
  MESHER_PEERS           nodes to join, separated by commas: a@host:9100,b@host:9100;
                         its own name among them is passed over
  MESHER_HOST            where to listen                              (127.0.0.1)
  MESHER_HTTP_PORT       page, API and streams; 0: the system chooses (8080)
  MESHER_WS_PORT         a second port for streams                    (none)
  DATABASE_URL           postgres://…, a file for SQLite, or :memory: (${DATABASE_DEFAULT})
  MESHER_RATE_LIMIT      events of one project in a minute            (${RATE_PER_MINUTE_DEFAULT})
  MESHER_LOAD_THRESHOLD  events in 5 s from which a node asks others for help (${LOAD_THRESHOLD_DEFAULT})
  MESHER_FIRST_LOGIN     file for the first user's login, which the first start writes; only
                         its owner may read it       (mesher-first-login.txt beside the database)
  MESHER_SECURE_COOKIES  1: session cookies over https only; the default if a proxy of
                         MESHER_PROXIES sends X-Forwarded-Proto: https (0)
  MESHER_WEBHOOK_ALLOW   hosts, addresses or ranges inside this network that webhooks may
                         reach, separated by commas: hooks.lan,10.1.0.0/16
  MESHER_PUBLIC_URL      where people open the page, for links, DSNs and the path prefix:
                         https://errors.example/mesher
  MESHER_SMTP_URL        smtp://user:password@host:587 or smtps://…: sends alerts by mail
  MESHER_MAIL_FROM       sender of that mail                          (mesher@ the SMTP host)
  MESHER_PROXIES         addresses or ranges of your proxies, separated by commas: the client's
                         address is read from their X-Forwarded-For. Wrong passwords are
                         counted by client, and without this a proxy counts as one client
`;

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Resolves with the result of `started`. Adds the name of the setting to its error. */
export async function withSettingName<T>(setting: string, started: Promise<T>): Promise<T> {
  try {
    return await started;
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Error(`${setting}: ${words}`, { cause: error });
  }
}

/** Returns the configuration from environment variables. Throws `ConfigError`. */
export function readConfig(env: Environment, command: Pick<Command, "memory">): Config {
  const httpPort = whole(env, "MESHER_HTTP_PORT", 8080, 0, PORT_MAX);
  const wsPort = env["MESHER_WS_PORT"] ? whole(env, "MESHER_WS_PORT", 0, 0, PORT_MAX) : null;
  if (httpPort === wsPort && httpPort !== 0) {
    throw new ConfigError(`MESHER_WS_PORT is ${wsPort}, as MESHER_HTTP_PORT is: use two ports`);
  }
  const database = command.memory ? ":memory:" : readDatabase(env["DATABASE_URL"]);
  return {
    cluster: readCluster(env),
    hostname: env["MESHER_HOST"] || "127.0.0.1",
    httpPort,
    wsPort,
    database,
    firstLogin: env["MESHER_FIRST_LOGIN"] ||
      firstLoginPath(database, database !== ":memory:" && isFile(database)),
    ratePerMinute: whole(env, "MESHER_RATE_LIMIT", RATE_PER_MINUTE_DEFAULT, 1, 1_000_000_000),
    loadThreshold: whole(env, "MESHER_LOAD_THRESHOLD", LOAD_THRESHOLD_DEFAULT, 1, 1_000_000_000),
    passwordCost: PASSWORD_COST,
    secureCookies: whole(env, "MESHER_SECURE_COOKIES", 0, 0, 1) === 1,
    webhookAllow: readAllowed(env),
    publicUrl: readPublicUrl(env),
    mail: readMail(env),
    proxies: readProxies(env),
  };
}

/** Returns the options of the command line. Throws `ConfigError`. */
export function readCommand(args: readonly string[]): Command {
  let [help, nodes, memory] = [false, 1, false];
  if (args[0] === "admin") {
    return { help: false, nodes: 1, memory: false, admin: readAdmin(args.slice(1)) };
  }
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--help" || arg === "-h") help = true;
    else if (arg === "--memory") memory = true;
    else if (arg === "--nodes" || arg.startsWith("--nodes=")) {
      nodes = wholeFrom("--nodes", arg === "--nodes" ? args[++i] : arg.slice(8), 1, NODES_MAX);
    } else throw new ConfigError(`unknown argument ${JSON.stringify(arg)}: see --help`);
  }
  if (memory && nodes > 1) {
    throw new ConfigError("--memory is for one node: several share a file or PostgreSQL");
  }
  return { help, nodes, memory, admin: null };
}

function readAdmin([what, argument, ...rest]: readonly string[]): AdminCommand {
  if (argument !== undefined && argument !== "" && rest.length === 0) {
    if (what === "reset") return { kind: what, email: argument };
    if (what === "backup" || what === "restore" || what === "migrate") {
      return { kind: what, file: argument };
    }
  }
  throw new ConfigError(
    "write admin reset EMAIL, admin backup FILE, admin restore FILE or admin migrate FILE",
  );
}

/** Returns the options of the storage. */
export function storageConfig(database: string): StorageConfig {
  return isFile(database) ? { sqlitePath: database } : { databaseUrl: database, sqlitePath: "" };
}

/** Returns whether a database is in SQLite: a path, or `:memory:`. */
function isFile(database: string): boolean {
  return !/^postgres(?:ql)?:\/\//i.test(database);
}

/**
 * Returns the URL or the path of the database. The error of an invalid URL does not contain the
 * URL, because it may contain a password.
 */
function readDatabase(text: string | undefined): string {
  const database = text || DATABASE_DEFAULT;
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(database)?.[1]?.toLowerCase();
  if (scheme === undefined) return database;
  if (scheme !== "postgres" && scheme !== "postgresql") {
    throw new ConfigError(
      `DATABASE_URL begins with ${scheme}://: use postgres://… or the path of a SQLite file`,
    );
  }
  const { hostname = "", pathname = "" } = URL.parse(database) ?? {};
  if (hostname !== "" || pathname.length > 1) return database;
  throw new ConfigError(
    "DATABASE_URL is not a valid URL: write postgres://user:password@host:5432/database, " +
      "with % and two digits for each special character",
  );
}

function readCluster(env: Environment): ClusterConfig | null {
  const name = env["MESHER_NODE_NAME"] ?? "";
  const cookie = env["MESHER_COOKIE"] ?? "";
  const peers = listOf(env["MESHER_PEERS"]);
  if (name === "" && cookie === "") {
    if (peers.length === 0) return null;
    throw new ConfigError("MESHER_PEERS is set: set MESHER_NODE_NAME and MESHER_COOKIE too");
  }
  if (name === "") throw new ConfigError("MESHER_COOKIE is set: set MESHER_NODE_NAME too");
  if (cookie === "") throw new ConfigError("MESHER_NODE_NAME is set: set MESHER_COOKIE too");
  for (const [variable, value] of [["MESHER_NODE_NAME", name], ...peers.map(peerPair)] as const) {
    const port = /^[^@\s]+@[^@\s]+:(\d{1,5})$/.exec(value)?.[1];
    if (port !== undefined && Number(port) <= PORT_MAX) continue;
    throw new ConfigError(`${variable} has ${JSON.stringify(value)}: write name@host:port`);
  }
  return { name, cookie, peers: peers.filter((peer) => peer !== name) };
}

function readAllowed(env: Environment): Allowed {
  const allowed = allowedFrom(listOf(env["MESHER_WEBHOOK_ALLOW"]));
  if (typeof allowed !== "string") return allowed;
  throw new ConfigError(
    `MESHER_WEBHOOK_ALLOW has ${JSON.stringify(allowed)}: ` +
      "write a host's name, an address or a range such as 10.1.0.0/16",
  );
}

function readPublicUrl(env: Environment): string | null {
  const text = env["MESHER_PUBLIC_URL"] ?? "";
  if (text === "") return null;
  const url = URL.parse(text);
  const isRight = url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.search === "" && url.hash === "";
  if (isRight) return url.href.replace(/\/+$/, "");
  throw new ConfigError("MESHER_PUBLIC_URL is not a valid URL: write https://errors.example");
}

/**
 * Returns the settings for mail. The error of an invalid URL does not contain the URL, because it
 * may contain a password.
 */
function readMail(env: Environment): MailConfig | null {
  const text = env["MESHER_SMTP_URL"] ?? "";
  if (text === "") return null;
  const url = URL.parse(text);
  if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === "") {
    throw new ConfigError(
      "MESHER_SMTP_URL is not a valid URL: write smtp://user:password@host:587",
    );
  }
  return { url: text, from: env["MESHER_MAIL_FROM"] || `Mesher <mesher@${url.hostname}>` };
}

function readProxies(env: Environment): readonly AddressRange[] {
  const ranges = rangesFrom(listOf(env["MESHER_PROXIES"]));
  if (typeof ranges !== "string") return ranges;
  throw new ConfigError(
    `MESHER_PROXIES has ${JSON.stringify(ranges)}: write an address or a range such as 10.1.0.0/16`,
  );
}

/** Splits a text at commas. */
function listOf(text: string | undefined): string[] {
  return (text ?? "").split(",").map((item) => item.trim()).filter(Boolean);
}

function peerPair(peer: string): readonly [string, string] {
  return ["MESHER_PEERS", peer];
}

function whole(
  env: Environment,
  name: string,
  fallback: number,
  least: number,
  most: number,
): number {
  const text = env[name];
  return text === undefined || text === "" ? fallback : wholeFrom(name, text, least, most);
}

function wholeFrom(name: string, text: string | undefined, least: number, most: number): number {
  const value = Number(text);
  if (text !== undefined && /^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new ConfigError(
    `${name} is ${JSON.stringify(text ?? "")}: use a whole number from ${least} to ${most}`,
  );
}
