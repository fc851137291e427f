/**
 * Finds the route of a request, checks access and input, and encodes the result of the handler.
 *
 *     path ─▶ route ─▶ method ─▶ requester ─▶ query, body ─▶ handler ─▶ JSON
 *      404              405      401          400          its status; 503 or 500 if it throws
 *
 * @module
 */
import type { Address } from "@firn/firn";
import { allows, type NeededScope } from "../domain/token_scope.ts";
import type { Mesher } from "../mesher.ts";
import { StorageError } from "../storage/error.ts";
import { isSecure } from "./client.ts";
import type { RejectionReason } from "../pipeline/rejections.ts";
import {
  ANONYMOUS,
  type AuthRequest,
  keyOf,
  type Person,
  personOf,
  projectOf,
  type Requester,
} from "./auth.ts";
import { readBody, readQuery } from "./input.ts";
import { HttpError } from "./http_error.ts";
import type { Answer, Route, RouteInput } from "./route.ts";

/** Headers of every response of the API. */
const HEADERS: Readonly<Record<string, string>> = {
  "content-type": "application/json; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** CORS headers of the ingest routes. Pages of other sites may only report events. */
const INGEST_CORS: Readonly<Record<string, string>> = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "retry-after, x-sentry-rate-limits",
};
/** The CORS headers that browsers read in the response to a preflight request only. */
const PREFLIGHT_CORS: Readonly<Record<string, string>> = {
  ...INGEST_CORS,
  "access-control-allow-headers":
    "content-type, content-encoding, authorization, x-api-key, x-sentry-auth",
  "access-control-allow-methods": "POST",
  "access-control-max-age": "86400",
};

/** Matches the paths of routes that change issues, comments and alerts. */
const OF_ISSUES =
  /^\/api\/v1\/(?:issues|comments|alerts|projects\/:project_id\/(?:issues|alerts))\//;

/** A node in the tree of paths. */
interface Branch {
  readonly fixed: Map<string, Branch>;
  variable: { readonly name: string; readonly branch: Branch } | undefined;
  readonly routes: Map<string, Route>;
}

/** A route that matches a path, and the values of the path's variable parts. */
interface Found {
  readonly routes: ReadonlyMap<string, Route>;
  readonly params: Readonly<Record<string, string>>;
}

/** Answers requests with a table of routes. */
export class Router {
  readonly #mesher: Mesher;
  readonly #root: Branch = newBranch();

  constructor(mesher: Mesher, routes: readonly Route[]) {
    this.#mesher = mesher;
    for (const route of routes) this.#add(route);
  }

  /** Returns the response, or undefined if no route has this path. */
  async answer(request: Request, url: URL, remote: Address): Promise<Response | undefined> {
    const found = this.#find(url.pathname);
    if (found === undefined) return undefined;
    this.#mesher.counters.add("requests");
    const method = request.method === "HEAD" ? "GET" : request.method;
    const first = [...found.routes.values()][0]!;
    const cors = first.access === "key" ? INGEST_CORS : {};
    if (method === "OPTIONS" && first.access === "key") {
      return new Response(null, { status: 204, headers: PREFLIGHT_CORS });
    }
    const route = found.routes.get(method);
    if (route === undefined) {
      const allow = [...found.routes.keys()].join(", ");
      return jsonResponse(405, { error: "method not allowed" }, { ...cors, allow });
    }
    try {
      return await this.#handle(route, { request, url, remote, params: found.params }, cors);
    } catch (error) {
      if (route.access === "key") this.#rejected(error);
      if (request.signal.aborted) {
        return jsonResponse(503, { error: "the client has disconnected" }, cors);
      }
      return this.#failure(error, cors);
    }
  }

  /** Counts a request that ingest has rejected. */
  #rejected(error: unknown): void {
    const { rejections, isOpen } = this.#mesher;
    if (!(error instanceof HttpError)) {
      return rejections.add("storage", null, "the database failed");
    }
    const reason = reasonOf(error, isOpen);
    rejections.add(reason, null, error.message);
  }

  async #handle(
    route: Route,
    given: Pick<RouteInput, "request" | "url" | "remote" | "params">,
    cors: Readonly<Record<string, string>>,
  ): Promise<Response> {
    const mesher = this.#mesher;
    const { request, url } = given;
    const requester = await this.#requester(route, given);
    const query = readQuery(url.searchParams, route.query ?? {});
    const body = route.body === undefined ? {} : await readBody(request, route.body);
    // The queries of a user's GET request are aborted when the client has disconnected.
    const scoped = route.access === "user" && route.method === "GET"
      ? { ...mesher, storage: mesher.storage.until(request.signal) }
      : mesher;
    const answer = await route.handle({ ...given, mesher: scoped, query, body, requester });
    return toResponse(answer, route.ok, cors);
  }

  async #requester(
    route: Route,
    { request, url, remote }: Pick<RouteInput, "request" | "url" | "remote">,
  ): Promise<Requester> {
    const { keys, counters, config } = this.#mesher;
    const shown = () => ({
      request,
      url,
      isSecure: isSecure(request.headers, remote.hostname, config),
    });
    try {
      switch (route.access) {
        case "public":
          return ANONYMOUS;
        case "key":
          if (route.lateKey && keyOf(request.headers, url) === null) return ANONYMOUS;
          return { kind: "project", project: await projectOf(request.headers, url, keys) };
        case "user":
          return await this.#person(route, shown());
        case "operator": {
          const person = await this.#person(route, shown());
          if (person.user.isOperator) return person;
          throw new HttpError(403, "only an operator of this installation may do this");
        }
      }
    } catch (error) {
      if (error instanceof HttpError) counters.add("unauthorized");
      throw error;
    }
  }

  async #person(route: Route, shown: AuthRequest): Promise<Person> {
    const person = await personOf(shown, this.#mesher);
    const needed = scopeOf(route);
    if (allows(person.session.scopes, needed)) return person;
    throw new HttpError(403, `this token lacks the scope ${needed}`);
  }

  /** Returns the response to an error, without internal details. */
  #failure(error: unknown, cors: Readonly<Record<string, string>>): Response {
    if (error instanceof HttpError) {
      const asks = error.status === 401 ? { "www-authenticate": "Bearer" } : {};
      const headers = { ...cors, ...asks, ...error.headers };
      return jsonResponse(error.status, { error: error.message }, headers);
    }
    const words = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#mesher.log("error", `a request failed: ${words}`);
    return error instanceof StorageError && error.retry
      ? jsonResponse(503, { error: "the database is unavailable" }, { ...cors, "retry-after": "5" })
      : jsonResponse(500, { error: "internal error" }, cors);
  }

  #add(route: Route): void {
    let branch = this.#root;
    for (const part of partsOf(route.path)) {
      if (part.startsWith(":")) {
        branch.variable ??= { name: part.slice(1), branch: newBranch() };
        branch = branch.variable.branch;
      } else {
        const next = branch.fixed.get(part) ?? newBranch();
        branch.fixed.set(part, next);
        branch = next;
      }
    }
    branch.routes.set(route.method, route);
  }

  #find(path: string): Found | undefined {
    const found = branchOf(this.#root, partsOf(path), 0);
    if (found === undefined) return undefined;
    const { branch, values } = found;
    const route = [...branch.routes.values()][0];
    if (route === undefined) return undefined;
    const names = partsOf(route.path).filter((part) => part.startsWith(":"));
    const params = Object.fromEntries(names.map((name, i) => [name.slice(1), values[i]!]));
    return { routes: branch.routes, params };
  }
}

/** Returns the scope that a token needs for a route. */
function scopeOf({ access, scope, method, path }: Route): NeededScope {
  if (scope !== undefined) return scope;
  // These are the routes of sentry-cli.
  if (path === "/api/0" || path.startsWith("/api/0/")) return "releases";
  if (method === "GET") return "read";
  // Routes of operators concern the installation, and no organisation.
  if (access === "operator") return "account";
  return OF_ISSUES.test(path) ? "issues" : "manage";
}

export function reasonOf({ status, message }: HttpError, isOpen: boolean): RejectionReason {
  switch (status) {
    case 401:
      return "unauthorized";
    case 404:
      return "wrong_project";
    case 413:
      return "too_large";
    case 415:
      return "unknown_encoding";
    case 429:
      return "rate_limited";
    case 503:
      return isOpen ? "buffer_full" : "stopping";
    default:
      return /too large/.test(message) ? "too_large" : "invalid_body";
  }
}

/**
 * Returns the branch with the routes of a path, and the values of variable parts. A fixed part
 * takes precedence over a variable one.
 */
function branchOf(
  branch: Branch,
  parts: readonly string[],
  at: number,
): { readonly branch: Branch; readonly values: readonly string[] } | undefined {
  const part = parts[at];
  if (part === undefined) return branch.routes.size === 0 ? undefined : { branch, values: [] };
  const fixed = branch.fixed.get(part);
  const found = fixed === undefined ? undefined : branchOf(fixed, parts, at + 1);
  if (found !== undefined || branch.variable === undefined || part === "") return found;
  const rest = branchOf(branch.variable.branch, parts, at + 1);
  return rest && { branch: rest.branch, values: [decoded(part), ...rest.values] };
}

function newBranch(): Branch {
  return { fixed: new Map(), variable: undefined, routes: new Map() };
}

/** Returns the parts of a path, without a trailing slash. */
function partsOf(path: string): string[] {
  return path.replace(/^\/|\/$/g, "").split("/");
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function toResponse(
  answer: Answer,
  status: number,
  cors: Readonly<Record<string, string>>,
): Response {
  if (answer instanceof Response) {
    for (const [name, value] of Object.entries(HEADERS)) {
      if (!answer.headers.has(name)) answer.headers.set(name, value);
    }
    return answer;
  }
  return jsonResponse(answer.status ?? status, answer.json, { ...cors, ...answer.headers });
}

/** Returns JSON as a response. */
export function jsonResponse(
  status: number,
  json: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = new TextEncoder().encode(JSON.stringify(json));
  // With a known length, the response is sent in one piece.
  const length = { "content-length": String(body.length) };
  return new Response(body, { status, headers: { ...HEADERS, ...length, ...headers } });
}
