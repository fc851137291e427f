/**
 * Starts and stops a node of Mesher. Starts its parts in this order: storage, node, services,
 * sockets, HTTP, first run.
 *
 * @module
 */
import { type Address, Node, type Server } from "@firn/firn";
import type { LogEntry } from "@firn/firn/node";
import { observer } from "@firn/firn/observe";
import { Held } from "./cluster/held.ts";
import { Losses } from "./cluster/losses.ts";
import { type Config, storageConfig, withSettingName } from "./config.ts";
import { ENVELOPE_BYTES_MAX } from "./domain/limits.ts";
import { type FirstRun, firstRun, type KeepSecrets } from "./first_run.ts";
import { Allowance } from "./http/allowance.ts";
import { Attempts } from "./http/attempts.ts";
import { personOf } from "./http/auth.ts";
import { basePathOf, withoutBase } from "./http/base_path.ts";
import { isSecure } from "./http/client.ts";
import { HttpError } from "./http/http_error.ts";
import { PageFiles } from "./http/page.ts";
import { LOOKUPS, RESETS } from "./http/quota.ts";
import { jsonResponse, Router } from "./http/router.ts";
import { ROUTES } from "./http/routes/all.ts";
import { SourceMaps } from "./maps/maps.ts";
import type { Mesher } from "./mesher.ts";
import type { LogLine } from "./log.ts";
import type { Parts } from "./parts.ts";
import { Counters } from "./pipeline/counters.ts";
import { Intake } from "./services/intake.ts";
import { Keys } from "./pipeline/keys.ts";
import { Live } from "./pipeline/live.ts";
import { EventQueue } from "./pipeline/queue.ts";
import { Rejections } from "./pipeline/rejections.ts";
import { assertPortsFree } from "./ports.ts";
import { tellerOf } from "./services/node_monitor.ts";
import { keepTree } from "./services/root.ts";
import { saveTotals } from "./services/totals_keeper.ts";
import { joinCluster, startTree } from "./services/tree.ts";
import { MESSAGE_BYTES_MAX, socketHandlers } from "./sockets/sockets.ts";
import { type ClosableLease, openLease, openStorage } from "./storage/open.ts";
import type { Storage } from "./storage/storage.ts";

/** Maximum number of events that are accepted but not grouped yet. Further events are rejected. */
export const INBOX_MAX = 20_000;
/** Maximum number of events that are grouped but not stored yet. */
const OUTBOX_MAX = 2_000;
/** Maximum time that a stopping node waits until its events are stored, in milliseconds. */
const DRAIN_MS_MAX = 10_000;
/** Maximum time that a starting node waits for its running peers, in milliseconds. */
const MEET_MS_MAX = 5_000;
/**
 * Maximum size of a request body, in bytes. It is larger than the limits of all routes, so that the
 * route itself answers 413.
 */
const BODY_BYTES_MAX: number = ENVELOPE_BYTES_MAX + 1_048_576;

/** A running node. */
export interface App {
  readonly mesher: Mesher;
  /** The secrets of the first login. Null unless this was the first start. */
  readonly first: FirstRun | null;
  readonly url: string;
  /**
   * Stops accepting events, stores the accepted events, and stops the node. Resolves with the
   * number of events that could not be stored in time: 0 unless the database is unavailable.
   */
  stop(): Promise<number>;
}

/** The parts of a node that tests replace. */
export interface AppOptions {
  readonly log: LogLine;
  readonly storage?: Storage | undefined;
  /**
   * Returns a function that stores the secrets of a first start. `url` is the URL of the page.
   * Default: the secrets are only returned.
   */
  readonly keepSecrets?: ((url: string) => KeepSecrets) | undefined;
  readonly now?: (() => number) | undefined;
  readonly startNode?: typeof Node.start | undefined;
}

/** Starts a node. */
export async function startApp(config: Config, options: AppOptions): Promise<App> {
  const { log, now = Date.now } = options;
  await assertPortsFree(config.hostname, config);
  const storage = options.storage ??
    await withSettingName("DATABASE_URL", openStorage({ ...storageConfig(config.database), log }));
  const isOwn = options.storage === undefined;
  const lease = isOwn ? await openLease(storageConfig(config.database)) : undefined;
  let node: Node | undefined;
  try {
    node = await startNode(config, options);
    const mesher = await startMesher(config, { storage, lease, node, log, now });
    const servers = await startServers(mesher);
    const { hostname } = config;
    const host = hostname === "0.0.0.0" || hostname === "::" ? "127.0.0.1" : hostname;
    const url = `http://${host.includes(":") ? `[${host}]` : host}:${mesher.ports.http}`;
    mesher.place.url = url;
    // This step is last, because the secrets are stored only once: if a later step failed, they
    // would be lost.
    const first = await firstRun(
      storage,
      config.passwordCost,
      options.keepSecrets?.(config.publicUrl ?? url),
    );
    return { mesher, first, url, stop: () => stop(mesher, servers, lease) };
  } catch (error) {
    await node?.stop();
    await lease?.close();
    await storage.close();
    throw error;
  }
}

async function startNode({ cluster }: Config, options: AppOptions): Promise<Node> {
  const { log, startNode: start = Node.start } = options;
  const lines = ({ level, line }: LogEntry): void =>
    log(level === "error" ? "error" : level === "warn" ? "warn" : "info", line);
  const logged = { log: lines, logLevel: "warn", observe: "control" } as const;
  if (cluster === null) {
    const cookie = Array.from(
      crypto.getRandomValues(new Uint8Array(24)),
      (byte) => byte.toString(16).padStart(2, "0"),
    ).join("");
    return await start({ cookie, ...logged });
  }
  const { name, cookie, peers } = cluster;
  const hostname = /@(.*):\d+$/.exec(name)![1]!.replace(/^\[|\]$/g, "");
  const starting = start({ name, cookie, seeds: peers, listen: { hostname }, ...logged });
  const node = await withSettingName("MESHER_NODE_NAME and MESHER_COOKIE", starting);
  log("info", `node ${node.name} listens; peers: ${peers.join(", ") || "none"}`);
  await meet(node, peers);
  return node;
}

/**
 * Connects to the running peers before the services start, so that the services find the holders of
 * singletons and the watchers of streams. Other peers are dialed in the background.
 */
async function meet(node: Node, peers: readonly string[]): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((wake) => timer = setTimeout(wake, MEET_MS_MAX));
  const met = Promise.all(peers.map((peer) => node.connect(peer).catch(() => {})));
  await Promise.race([met, late]);
  clearTimeout(timer);
}

/** Creates the shared parts of a node. */
export function newParts(
  config: Config,
  { storage, lease, node, log, now }: Pick<Parts, "storage" | "lease" | "node" | "log" | "now">,
): Parts {
  const counters = new Counters();
  const inbox: Parts["inbox"] = new EventQueue(INBOX_MAX);
  const outbox: Parts["outbox"] = new EventQueue(OUTBOX_MAX);
  const startedAt = now();
  return {
    config,
    node,
    storage,
    lease,
    inbox,
    outbox,
    held: new Held(startedAt, () => inbox.size + outbox.size, tellerOf({ node })),
    holdings: new Map(),
    losses: new Losses(),
    counters,
    eventCounter: { count: 0 },
    live: new Live(node.rooms, node.groups, counters),
    place: { url: null, tree: null },
    startedAt,
    log,
    now,
  };
}

async function startMesher(
  config: Config,
  place: Pick<Parts, "storage" | "lease" | "node" | "log" | "now">,
): Promise<Mesher> {
  const parts = newParts(config, place);
  const stopTree = await keepTree(parts, () => startTree(parts));
  await joinCluster(parts);
  return {
    ...parts,
    keys: new Keys(parts.storage, parts.now),
    rejections: new Rejections(parts.counters, parts.log, parts.now),
    intake: new Intake(parts),
    maps: new SourceMaps(parts.storage, parts.log),
    attempts: new Attempts(),
    resets: new Allowance(RESETS),
    lookups: new Allowance(LOOKUPS),
    stopTree,
    isOpen: true,
    ports: { http: 0, ws: 0 },
  };
}

async function startServers(mesher: Mesher): Promise<Server[]> {
  const { node, config } = mesher;
  const { hostname, httpPort, wsPort } = config;
  const router = new Router(mesher, ROUTES);
  const page = new PageFiles();
  const common = {
    hostname,
    maxPayloadLength: MESSAGE_BYTES_MAX,
    maxRequestBodySize: BODY_BYTES_MAX,
    // All origins are allowed here, because `personOf` checks the origin: the page may open streams
    // on another port, and programs send no origin.
    origins: "*" as const,
    ...socketHandlers(mesher),
  };
  // Streams are served on the page's port, and also on a second port if it is set.
  const ws = wsPort === null ? undefined : await withSettingName(
    "MESHER_HOST and MESHER_WS_PORT",
    node.serve({ ...common, port: wsPort }),
  );
  const base = basePathOf(config);
  const watch = observer(node, {
    path: `${base}/observer`,
    authorize: (request, remote) => accessOf(mesher, request, remote),
  });
  const serving = node.serve({
    ...common,
    port: httpPort,
    async fetch(request, remote): Promise<Response> {
      const url = new URL(request.url);
      if (base !== "" && url.pathname === base) {
        return new Response(null, { status: 302, headers: { location: `${base}/` } });
      }
      // Setting the path parses the URL again, so it is only set if it changes.
      if (base !== "") url.pathname = withoutBase(url.pathname, base);
      if (url.pathname.startsWith("/observer")) {
        const full = new URL(url);
        full.pathname = base + url.pathname;
        return await watch(
          full.href === request.url ? request : new Request(full, request),
          remote,
        );
      }
      const answer = await router.answer(request, url, remote);
      if (answer !== undefined) return answer;
      return url.pathname.startsWith("/api/")
        ? jsonResponse(404, { error: "not found" })
        : await page.answer(request, url.pathname);
    },
  });
  const http = await withSettingName("MESHER_HOST and MESHER_HTTP_PORT", serving);
  mesher.ports.http = http.port;
  mesher.ports.ws = ws?.port ?? http.port;
  return ws === undefined ? [http] : [ws, http];
}

/**
 * Returns the access of a request to the observer: only operators of the installation may observe
 * and control the cluster.
 */
async function accessOf(
  mesher: Mesher,
  request: Request,
  remote: Address,
): Promise<"control" | "none"> {
  const url = new URL(request.url);
  const secure = isSecure(request.headers, remote.hostname, mesher.config);
  try {
    const { user, session } = await personOf({ request, url, isSecure: secure }, mesher);
    return user.isOperator && session.scopes === null ? "control" : "none";
  } catch (error) {
    if (error instanceof HttpError) return "none";
    throw error;
  }
}

async function stop(
  mesher: Mesher,
  servers: readonly Server[],
  lease: ClosableLease | undefined,
): Promise<number> {
  const { inbox, outbox, storage, node, log } = mesher;
  mesher.isOpen = false;
  await Promise.all(servers.map((server) => server.stop()));
  const deadline = Date.now() + DRAIN_MS_MAX;
  const held = (): number => inbox.size + outbox.size;
  while (held() > 0 && Date.now() < deadline) {
    await new Promise((wake) => setTimeout(wake, 10));
  }
  const lost = held();
  if (lost > 0) log("error", `${lost} accepted events could not be stored before the end`);
  await mesher.held.lowerToCount();
  await mesher.stopTree();
  await saveTotals(mesher);
  await node.stop();
  await lease?.close();
  await mesher.maps.close();
  await storage.close();
  return lost;
}
