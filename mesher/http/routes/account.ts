/**
 * Routes for logging in and out, the user's own account, and tokens for programs.
 *
 * @module
 */
import {
  isOutdated,
  PASSWORD_CHARS_MAX,
  passwordProblem,
  unmatchableHash,
} from "../../domain/password.ts";
import { BROWSER_SECONDS, browserOf, newBrowser } from "../../domain/browser.ts";
import { newSecret } from "../../domain/secret.ts";
import { scopesFrom, TOKEN_SCOPES, type TokenScope } from "../../domain/token_scope.ts";
import { iso } from "../../pipeline/time.ts";
import type { Mesher } from "../../mesher.ts";
import type { Credentials, User } from "../../storage/users.ts";
import { SESSION_MS } from "../auth.ts";
import { changeRoute } from "../change.ts";
import { clientOf, isSecure } from "../client.ts";
import { BROWSER_COOKIE, cookieOf, SESSION_COOKIE, setCookie } from "../cookies.ts";
import { hashInTurn, verifyInTurn } from "../hashing.ts";
import { mustFit, mustWait } from "../quota.ts";
import { jsonResponse } from "../router.ts";
import { loads } from "../../services/registry.ts";
import { HttpError } from "../http_error.ts";
import type { Field, Reply, Route, RouteInput } from "../route.ts";
import { personIn } from "../scope.ts";
import { organisationShape, sessionShape, userShape } from "../shapes.ts";

/** The validity of a token, in milliseconds (a year). */
const TOKEN_MS = 31_536_000_000;
/** Maximum number of concurrent sessions of a user. Another login ends the oldest session. */
const SESSIONS_MAX = 50;
/** The field of a password in a body. */
export const PASSWORD: Field = { type: "string", required: true, max: PASSWORD_CHARS_MAX };

/** The routes of accounts. */
export const accountRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/login",
    name: "login",
    about: "Logs in, and sets the session's cookie.",
    access: "public",
    body: { email: { type: "string", required: true, max: 254 }, password: PASSWORD },
    ok: 200,
    errors: [400, 401, 413, 415, 429, 503],
    returns: '{"user":{…},"expires_at"}',
    async handle(asked): Promise<Response> {
      const { storage, config } = asked.mesher;
      const email = asked.body["email"] as string;
      const password = asked.body["password"] as string;
      const known = await knownBy(asked, email, password);
      if (known === null) throw new HttpError(401, "wrong email or password");
      // Replaces the password's hash by one with the current parameters. As with any new password,
      // this ends the other sessions.
      let { passwordHash } = known;
      if (isOutdated(passwordHash, config.passwordCost)) {
        passwordHash = await hashInTurn(password, config.passwordCost);
        await storage.setPassword(known.user.id, passwordHash);
      }
      return await signedIn(asked, known.user, passwordHash);
    },
  },
  {
    method: "POST",
    path: "/api/v1/logout",
    name: "logout",
    about: "Ends the session or token of this request.",
    access: "user",
    scope: "read",
    ok: 200,
    errors: [401],
    returns: '{"status":"ok"}',
    async handle(asked): Promise<Reply> {
      const { user, session } = personIn(asked);
      await asked.mesher.storage.endSession(user.id, session.id);
      const cookie = setCookie(SESSION_COOKIE, "", 0, isHttps(asked));
      return { json: { status: "ok" }, headers: { "set-cookie": cookie } };
    },
  },
  {
    method: "GET",
    path: "/api/v1/me",
    name: "getMe",
    about:
      "Returns the user, the user's organisations, and the addresses of the page on other nodes.",
    access: "user",
    ok: 200,
    errors: [401],
    returns: '{"user":{…},"organisations":[…],"nodes":[…],"public_url","mail"}',
    async handle(asked): Promise<Reply> {
      const { user, memberships } = personIn(asked);
      const { mesher } = asked;
      const others = (await loads(mesher)).filter(({ node }) => node !== mesher.node.name);
      return {
        json: {
          user: userShape(user),
          organisations: memberships.map(organisationShape),
          nodes: others.map(({ node, httpUrl }) => ({ name: node, http_url: httpUrl })),
          // The base URL of DSNs; null if it is the URL of the page.
          public_url: mesher.config.publicUrl,
          mail: mesher.config.mail !== null,
        },
      };
    },
  },
  {
    method: "POST",
    path: "/api/v1/password",
    name: "setPassword",
    about: "Changes the user's password. Ends all sessions, and all tokens too with `end_tokens`.",
    access: "user",
    scope: "account",
    body: {
      current: PASSWORD,
      password: PASSWORD,
      end_tokens: { type: "boolean", about: "default: false" },
    },
    ok: 200,
    errors: [400, 401, 403, 429, 503],
    returns: '{"status":"ok"}',
    async handle(asked): Promise<Reply> {
      const { user } = personIn(asked);
      if (await knownBy(asked, user.email, asked.body["current"] as string) === null) {
        throw new HttpError(403, "the current password is wrong");
      }
      const endTokens = (asked.body["end_tokens"] as boolean | undefined) ?? false;
      const hash = await newPasswordHash(asked.mesher, asked.body["password"] as string);
      await asked.mesher.storage.setPassword(user.id, hash, { endTokens });
      return { json: { status: "ok" } };
    },
  },
  {
    method: "GET",
    path: "/api/v1/sessions",
    name: "listSessions",
    about: "Lists the user's sessions and tokens; `current` marks that of this request.",
    access: "user",
    ok: 200,
    errors: [401],
    returns: '[{"id","kind","label","scopes","current","created_at","expires_at"}]',
    async handle(asked): Promise<Reply> {
      const { user, session } = personIn(asked);
      const sessions = await asked.mesher.storage.sessions(user.id);
      return { json: sessions.map((one) => sessionShape(one, session)) };
    },
  },
  changeRoute({
    path: "/api/v1/sessions/:session_id/end",
    name: "endSession",
    about: "Ends one of the user's sessions or tokens.",
    scope: "account",
  }, async (asked) => {
    const { user } = personIn(asked);
    const id = asked.params["session_id"]!;
    if (await asked.mesher.storage.endSession(user.id, id)) return true;
    throw new HttpError(404, "session not found");
  }),
  {
    method: "POST",
    path: "/api/v1/tokens",
    name: "createToken",
    about: "Creates a token for a program: Authorization: Bearer …. Shown once.",
    access: "user",
    scope: "account",
    body: {
      label: { type: "string", required: true, max: 100 },
      scopes: {
        type: "string",
        about: `its scopes, separated by spaces: ${TOKEN_SCOPES.join(", ")}; ` +
          "default: all permissions of its user",
      },
    },
    ok: 201,
    errors: [400, 401, 409],
    returns: '{"token","id","expires_at"}',
    async handle(asked): Promise<Reply> {
      const { storage, now } = asked.mesher;
      const { user } = personIn(asked);
      const others = await storage.sessions(user.id);
      mustFit("tokens of one user", others.filter(({ kind }) => kind === "token").length);
      const { secret, hash } = newSecret("token");
      const made = await storage.createSession({
        userId: user.id,
        kind: "token",
        label: asked.body["label"] as string,
        scopes: scopesIn(asked),
        secretHash: hash,
        expiresAt: now() + TOKEN_MS,
      });
      if (!made.ok) throw new HttpError(401, "unauthorized");
      return { json: { token: secret, id: made.value.id, expires_at: iso(made.value.expiresAt) } };
    },
  },
];

/** Returns the scopes of a new token. Throws 400 if one is unknown. */
function scopesIn({ body }: RouteInput): TokenScope[] | null {
  const text = (body["scopes"] as string | undefined)?.trim();
  if (text === undefined) return null;
  const scopes = scopesFrom(text);
  if (scopes.length === text.split(/[\s,]+/).length) return scopes;
  throw new HttpError(400, `scopes must be some of ${TOKEN_SCOPES.join(", ")}`);
}

/** Returns the hash of a new password. Throws 400 if it is too weak or too long. */
export async function newPasswordHash({ config }: Mesher, password: string): Promise<string> {
  const problem = passwordProblem(password);
  if (problem !== null) throw new HttpError(400, problem);
  return await hashInTurn(password, config.passwordCost);
}

/** Creates a session for a user. Returns the response with its cookie. */
export async function signedIn(
  asked: RouteInput,
  user: User,
  passwordHash: string,
): Promise<Response> {
  const { storage, now } = asked.mesher;
  const { secret, hash: secretHash } = newSecret("session");
  const expiresAt = now() + SESSION_MS;
  const label = asked.request.headers.get("user-agent")?.slice(0, 100) ?? "";
  await storage.createSession({ userId: user.id, kind: "session", label, secretHash, expiresAt });
  const sessions = (await storage.sessions(user.id)).filter(({ kind }) => kind === "session");
  for (const { id } of sessions.slice(SESSIONS_MAX)) await storage.endSession(user.id, id);
  const answer = jsonResponse(200, { user: userShape(user), expires_at: iso(expiresAt) });
  const secure = isHttps(asked);
  const cookies = [
    setCookie(SESSION_COOKIE, secret, SESSION_MS / 1000, secure),
    setCookie(BROWSER_COOKIE, newBrowser(passwordHash), BROWSER_SECONDS, secure),
  ];
  for (const cookie of cookies) answer.headers.append("set-cookie", cookie);
  return answer;
}

function isHttps({ request, remote, mesher }: RouteInput): boolean {
  return isSecure(request.headers, remote.hostname, mesher.config);
}

/**
 * Returns the account with this password, or null. Takes the same time whether the account exists
 * or not. Throws 429 after too many attempts.
 */
async function knownBy(
  asked: RouteInput,
  email: string,
  password: string,
): Promise<Credentials | null> {
  const { mesher, request, remote } = asked;
  const { attempts, now, config, log, storage } = mesher;
  const client = clientOf(request.headers, remote.hostname, config.proxies);
  const shown = cookieOf(request.headers.get("cookie"), BROWSER_COOKIE, isHttps(asked));
  // The account is looked up before the attempt only if there is a browser's cookie to check.
  const owner = shown === undefined ? null : await storage.credentials(email);
  const browser = owner === null ? undefined : browserOf(shown, owner.passwordHash);
  const attempt = { email, client, browser };
  mustWait(attempts.try(attempt, now()));
  const known = await verified(mesher, email, password).catch((error) => {
    attempts.takeBack(attempt);
    throw error;
  });
  if (known !== null) attempts.succeed(attempt);
  else if (attempts.isClientSpent(client, now())) {
    log("warn", `too many wrong passwords from ${client}, which has to wait (see MESHER_PROXIES)`);
  }
  return known;
}

async function verified(
  { storage, config }: Mesher,
  email: string,
  password: string,
): Promise<Credentials | null> {
  const known = await storage.credentials(email);
  const hash = known?.passwordHash ?? unmatchableHash(config.passwordCost);
  const isRight = await verifyInTurn(password, hash);
  return isRight ? known : null;
}
