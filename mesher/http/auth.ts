/**
 * Authentication. Ingest uses a project's key; everything else uses a session's cookie or a
 * personal token. No response reveals whether an id of another organisation exists.
 *
 * @module
 */
import { hashSecret, isSecret } from "../domain/secret.ts";
import type { Config } from "../config.ts";
import type { Membership } from "../storage/organisations.ts";
import type { Project } from "../storage/projects.ts";
import type { Session } from "../storage/sessions.ts";
import type { Storage } from "../storage/storage.ts";
import type { User } from "../storage/users.ts";
import type { Keys } from "../pipeline/keys.ts";
import { cookieOf, SESSION_COOKIE } from "./cookies.ts";
import { HttpError } from "./http_error.ts";

/** The validity of a session, in milliseconds. */
export const SESSION_MS = 604_800_000;

/** The client of a request, as identified by its credentials. */
export type Requester =
  | { readonly kind: "anonymous" }
  | { readonly kind: "project"; readonly project: Project }
  | Person;

/** A user with a session or a token. */
export interface Person {
  readonly kind: "user";
  readonly user: User;
  readonly session: Session;
  /** The hash of the secret, with which the session or token is checked again later. */
  readonly secretHash: string;
  readonly memberships: readonly Membership[];
}

/** The part of the storage that looks up users. */
type Accounts = Pick<Storage, "sessionBySecret" | "organisationsOf">;

/** The parts of a node that authentication needs. */
export interface Place {
  readonly storage: Accounts;
  /** The port of this node's HTTP server. */
  readonly ports: { readonly http: number };
  readonly config: Pick<Config, "publicUrl">;
}

/** A request whose credentials are to be checked. */
export interface AuthRequest {
  readonly request: Request;
  readonly url: URL;
  /** Whether the request came over https. */
  readonly isSecure: boolean;
}

/** An anonymous client. */
export const ANONYMOUS: Requester = { kind: "anonymous" };

/**
 * Returns the key of an ingest request from any of the places where clients put it; null if there
 * is none.
 */
export function keyOf(headers: Headers, url: URL): string | null {
  const own = headers.get("x-api-key");
  if (own !== null) return own.trim();
  for (const name of ["x-sentry-auth", "authorization"]) {
    const value = headers.get(name)?.trim();
    if (value === undefined || value === "") continue;
    const sentry = /^sentry\s/i.test(value) || value.includes("sentry_key=")
      ? /sentry_key=([^,\s]+)/i.exec(value)?.[1]
      : undefined;
    if (sentry !== undefined) return sentry;
    return value.replace(/^(?:bearer|dsn)\s+/i, "").replace(/^https?:\/\/([^:@/]+).*$/, "$1");
  }
  return url.searchParams.get("sentry_key") ??
    /\/cron\/[^/]+\/([^/]+)\/?$/.exec(url.pathname)?.[1] ?? null;
}

/** Returns the key in a DSN, `https://key@host/project`, or null if there is none. */
export function keyOfDsn(dsn: string | null): string | null {
  return dsn === null ? null : URL.parse(dsn)?.username || null;
}

/** Returns the project of an ingest request. Throws 401 if the key is missing or unknown. */
export async function projectOf(headers: Headers, url: URL, keys: Keys): Promise<Project> {
  const key = keyOf(headers, url);
  const project = key === null ? null : await keys.project(key);
  if (project === null) throw new HttpError(401, "unauthorized");
  return project;
}

/**
 * Returns the user of a request. Throws 401 without valid credentials, and 403 for a page of
 * another site.
 */
export async function personOf(
  { request, url, isSecure }: AuthRequest,
  place: Place,
): Promise<Person> {
  const bearer = /^bearer\s+(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  const secret = bearer ??
    cookieOf(request.headers.get("cookie"), SESSION_COOKIE, isSecure);
  if (secret === undefined || !(isSecret("session", secret) || isSecret("token", secret))) {
    throw new HttpError(401, "unauthorized");
  }
  // Browsers send the cookie with requests of any page. Only Mesher's own page may change data.
  if (bearer === undefined && !isOwnPage(request, url, place)) {
    throw new HttpError(403, "the request comes from another site");
  }
  return await personBySecret(hashSecret(secret), place.storage);
}

/** Returns the user whose session or token has a secret with this hash. Throws 401 without one. */
export async function personBySecret(secretHash: string, accounts: Accounts): Promise<Person> {
  const found = await accounts.sessionBySecret(secretHash);
  if (found === null) throw new HttpError(401, "unauthorized");
  const memberships = await accounts.organisationsOf(found.user.id);
  return { kind: "user", user: found.user, session: found.session, secretHash, memberships };
}

/**
 * Returns whether a request with a cookie comes from Mesher's own page, or from a client that is
 * not a page. Cookies are shared by all ports of a host, so another page of the same machine sends
 * them too: the port must match.
 */
function isOwnPage(
  request: Request,
  url: URL,
  { ports, config: { publicUrl } }: Pick<Place, "ports" | "config">,
): boolean {
  const isUpgrade = request.headers.get("upgrade")?.toLowerCase() === "websocket";
  if (request.method === "GET" && !isUpgrade) return true;
  const site = request.headers.get("sec-fetch-site");
  // Sec-Fetch-Site is reliable if the browser sends it. Not all browsers do for WebSockets.
  if (site !== null && !isUpgrade) return site === "same-origin" || site === "none";
  const origin = request.headers.get("origin");
  if (origin === null) return true;
  const host = URL.parse(origin)?.host;
  if (host === url.host || publicUrl !== null && host === new URL(publicUrl).host) return true;
  // The page may be on another port of this host than the stream.
  return isUpgrade && host === new URL(`http://${url.hostname}:${ports.http}`).host;
}
