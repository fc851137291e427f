/**
 * The live page: a request handler for `serve`.
 *
 *     GET  …/             the page
 *     GET  …/api/NAME     JSON that the page polls
 *     POST …/api/NAME     kill, suspend, resume: only with "control"
 *     GET  …/metrics      for Prometheus
 *
 * @module
 */
import type { Address } from "../host/stream.ts";
import type { Pid } from "../term/pid.ts";
import { OBSERVE_ACCESS, type ObserveAccess } from "./observation.ts";
import { ObserveError } from "./error.ts";
import { METRIC_TYPES, type MetricFormat } from "./metrics.ts";
import { pageText } from "./page.ts";
import type { ShellNode } from "./shell_commands.ts";
import { shellJson } from "./shell_text.ts";

/** The part of `Node` that the page uses. */
export interface ObserverNode extends ShellNode {
  /** Returns the metrics of this node, as `Node.metrics` does. */
  metrics(format?: MetricFormat): Promise<string>;
  /** The global names of the cluster, as in `Node.global`. */
  readonly global: { names(): string[]; whereis(name: string): Pid<never> | undefined };
  /** The process groups of the cluster, as in `Node.groups`. */
  readonly groups: { names(): string[]; members(group: string): Pid<never>[] };
}

/** Options of the live page. */
export interface ObserverOptions {
  /** The path below which the page and its API are served. Default "/observer". */
  readonly path?: string | undefined;
  /**
   * Returns the access of a request: "none", "read" or "control", which includes killing and
   * suspending actors, and reading states and messages. Default: "read" for clients on this machine
   * that request a loopback address, "none" for others. Behind a proxy, all clients appear to be on
   * this machine, so set this function there.
   */
  readonly authorize?:
    | ((
      request: Request,
      remote: Address,
    ) => "none" | "read" | "control" | Promise<"none" | "read" | "control">)
    | undefined;
}

const LOOPBACK_HOSTS = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/;

/** Maximum number of names and of groups that the page lists. */
const NAMES_MAX = 1_000;

/** Handles a request of the page's API. */
type Handler = (
  node: ObserverNode,
  params: URLSearchParams,
  access: ObserveAccess,
) => Promise<unknown>;

/**
 * Returns the request handler of a live page of a cluster: nodes, supervision trees, actors,
 * sockets, rooms, names, logs and charts. It needs no build step and loads nothing from other
 * origins. Responds with 404 to requests for other paths.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { observer } from "@firn/firn/observe";
 * import { assertStringIncludes } from "@std/assert";
 *
 * await using node = await Node.start({ logLevel: "silent" });
 * const server = await node.serve({ fetch: observer(node) });
 * const page = await fetch(server.url.replace("ws:", "http:") + "observer/");
 * assertStringIncludes(await page.text(), "<title>Firn");
 * ```
 */
export function observer(
  node: ObserverNode,
  options: ObserverOptions = {},
): (request: Request, remote: Address) => Promise<Response> {
  const path = (options.path ?? "/observer").replace(/\/$/, "");
  const { authorize = loopbackOnly } = options;
  return async (request, remote) => {
    const url = new URL(request.url);
    if (url.pathname === path) return redirect(`${path}/`);
    if (!url.pathname.startsWith(`${path}/`)) return plain(404, "there is no such page");
    const access = await authorize(request, remote);
    if (!OBSERVE_ACCESS.includes(access) || access === "none") {
      return plain(403, "the option authorize of observer() does not permit this");
    }
    const rest = url.pathname.slice(path.length + 1);
    if (rest === "") return html();
    if (rest === "metrics") return await metrics(node, request);
    if (!rest.startsWith("api/")) return plain(404, "there is no such page");
    const name = rest.slice(4);
    if (Object.hasOwn(ACTIONS, name)) {
      if (request.method !== "POST") return plain(405, "use POST");
      // A page of another origin cannot set this header without a preflight request, which is
      // rejected.
      if (request.headers.get("x-firn") !== "1") return plain(403, "the header x-firn is missing");
      if (access !== "control") return plain(403, "this needs control");
      return await answer(ACTIONS[name]!, node, url.searchParams, access);
    }
    if (!Object.hasOwn(QUESTIONS, name)) return plain(404, "there is no such request");
    return await answer(QUESTIONS[name]!, node, url.searchParams, access);
  };
}

const QUESTIONS: Readonly<Record<string, Handler>> = {
  cluster: async (node, _params, access) => {
    const names = [node.name, ...node.peers()];
    const nodes = await Promise.all(
      names.map((name) =>
        node.stats({ node: name }).catch((error) => ({
          node: name,
          error: (error as Error).message,
        }))
      ),
    );
    return { node: node.name, access, nodes };
  },
  tree: (node, params) => node.tree({ node: nodeOf(node, params) }),
  top: (node, params) =>
    node.top({
      node: nodeOf(node, params),
      by: (params.get("by") ?? "mailbox") as "mailbox",
      count: Number(params.get("count") ?? 20),
      window: 500,
    }),
  actor: async (node, params, access) => {
    const pid = await pidOf(node, params);
    const info = await node.info(pid);
    const state = access === "control"
      ? await node.sys.state(pid).catch((error) => (error as Error).message)
      : undefined;
    return { info, state };
  },
  trace: async (node, params, access) => {
    if (access !== "control") throw new ObserveError("denied", "this needs control");
    return await node.sys.trace(await pidOf(node, params), { count: 20, ms: 3_000 });
  },
  recent: (node, params) =>
    node.sys.recent({ node: nodeOf(node, params), since: Number(params.get("since") ?? 0) }),
  // deno-lint-ignore require-await -- throws become rejections
  names: async (node) => ({
    names: node.global.names().slice(0, NAMES_MAX)
      .map((name) => ({ name, pid: node.global.whereis(name) })),
    groups: node.groups.names().slice(0, NAMES_MAX)
      .map((group) => ({ group, members: node.groups.members(group).slice(0, NAMES_MAX) })),
  }),
};

const ACTIONS: Readonly<Record<string, Handler>> = {
  kill: async (node, params) => await node.sys.exit(await pidOf(node, params), "kill"),
  suspend: async (node, params) => await node.sys.suspend(await pidOf(node, params)),
  resume: async (node, params) => await node.sys.resume(await pidOf(node, params)),
};

function nodeOf(node: ObserverNode, params: URLSearchParams): string {
  return params.get("node") ?? node.name;
}

/** Returns the actor of a request: its node and number. */
async function pidOf(node: ObserverNode, params: URLSearchParams): Promise<Pid> {
  const id = Number(params.get("id"));
  const pid = await node.sys.find(id, { node: nodeOf(node, params) });
  if (pid !== undefined) return pid;
  throw new ObserveError("noproc", `there is no actor ${id} on ${nodeOf(node, params)}`);
}

async function answer(
  handler: Handler,
  node: ObserverNode,
  params: URLSearchParams,
  access: ObserveAccess,
): Promise<Response> {
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  try {
    return new Response(shellJson(await handler(node, params, access)), { headers });
  } catch (error) {
    const code = error instanceof ObserveError ? error.code : "failed";
    const status = code === "noproc" ? 404 : code === "denied" ? 403 : 502;
    const message = error instanceof Error ? error.message : `${error}`;
    return new Response(JSON.stringify({ error: message, code }), { status, headers });
  }
}

async function metrics(node: ObserverNode, request: Request): Promise<Response> {
  const wants = request.headers.get("accept") ?? "";
  const format = wants.includes("openmetrics") ? "openmetrics" : "prometheus";
  return new Response(await node.metrics(format), {
    headers: { "content-type": METRIC_TYPES[format] },
  });
}

function html(): Response {
  const nonce = crypto.randomUUID();
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; ` +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  return new Response(pageText(nonce), {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy,
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  });
}

/**
 * Allows reading for clients on this machine that request a loopback address, which excludes pages
 * of other hosts.
 */
function loopbackOnly(request: Request, { hostname }: Address): "read" | "none" {
  const { headers } = request;
  const isProxied = ["forwarded", "x-forwarded-for", "x-real-ip", "via"].some((name) =>
    headers.has(name)
  );
  const isNear = /^(127\.|::1$|::ffff:127\.)/.test(hostname);
  return isNear && !isProxied && LOOPBACK_HOSTS.test(headers.get("host") ?? "") ? "read" : "none";
}

function plain(status: number, text: string): Response {
  return new Response(`${text}\n`, { status });
}

function redirect(location: string): Response {
  return new Response(null, { status: 308, headers: { location } });
}
