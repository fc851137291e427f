/**
 * Logging in and out, and tokens for programs.
 *
 * @module
 */
import { hashPassword, passwordProblem, verifyPassword } from "../../domain/password.ts";
import { newSecret } from "../../domain/secret.ts";
import { iso } from "../../pipeline/time.ts";
import { SESSION_MS, sessionCookie } from "../auth.ts";
import { type Asked, Refusal, type Reply, type Route } from "../route.ts";
import { organisationShape, sessionShape, userShape } from "../shapes.ts";

/** A token lasts a year. Milliseconds. */
const TOKEN_MS = 31_536_000_000;
/** Compared with when there is no such user, so that it takes as long. */
const NOBODYS_HASH = await hashPassword("nobody has this password");

/** The routes. */
export const accountRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/login",
    name: "login",
    about: "Logs in: sets the session's cookie.",
    access: "public",
    body: {
      email: { type: "string", required: true, max: 254 },
      password: { type: "string", required: true, max: 256 },
    },
    ok: 200,
    errors: [400, 401, 403, 429],
    gives: '{"user":{…},"expires_at"}',
    async handle(asked): Promise<Reply> {
      const { attempts, storage, now, config } = asked.mesher;
      mustBeJson(asked.request);
      const email = asked.body["email"] as string;
      const waitMs = attempts.try(email, now());
      if (waitMs > 0) {
        const seconds = String(Math.ceil(waitMs / 1000));
        throw new Refusal(429, "too many attempts", { "retry-after": seconds });
      }
      const known = await storage.credentials(email);
      const hash = known?.passwordHash ?? NOBODYS_HASH;
      const isRight = await verifyPassword(asked.body["password"] as string, hash);
      if (known === null || !isRight) throw new Refusal(401, "wrong email or password");
      attempts.forgive(email);
      const { secret, hash: secretHash } = newSecret("session");
      const expiresAt = now() + SESSION_MS;
      const label = asked.request.headers.get("user-agent")?.slice(0, 100) ?? "";
      const session = { userId: known.user.id, kind: "session" as const, label, secretHash };
      await storage.createSession({ ...session, expiresAt });
      return {
        json: { user: userShape(known.user), expires_at: iso(expiresAt) },
        headers: { "set-cookie": sessionCookie(secret, SESSION_MS / 1000, config.secureCookies) },
      };
    },
  },
  {
    method: "POST",
    path: "/api/v1/logout",
    name: "logout",
    about: "Ends the session or token that this request shows.",
    access: "user",
    ok: 200,
    errors: [401],
    gives: '{"status":"ok"}',
    async handle(asked): Promise<Reply> {
      const { user, session } = person(asked);
      await asked.mesher.storage.endSession(user.id, session.id);
      const cookie = sessionCookie("", 0, asked.mesher.config.secureCookies);
      return { json: { status: "ok" }, headers: { "set-cookie": cookie } };
    },
  },
  {
    method: "GET",
    path: "/api/v1/me",
    name: "getMe",
    about: "Who one is, and in which organisations.",
    access: "user",
    ok: 200,
    errors: [401],
    gives: '{"user":{…},"organisations":[…]}',
    handle(asked): Reply {
      const { user, memberships } = person(asked);
      return {
        json: { user: userShape(user), organisations: memberships.map(organisationShape) },
      };
    },
  },
  {
    method: "POST",
    path: "/api/v1/password",
    name: "setPassword",
    about: "Changes one's password. Ends all sessions, not the tokens.",
    access: "user",
    body: {
      current: { type: "string", required: true, max: 256 },
      password: { type: "string", required: true, max: 256 },
    },
    ok: 200,
    errors: [400, 401, 403, 429],
    gives: '{"status":"ok"}',
    async handle(asked): Promise<Reply> {
      const { user } = person(asked);
      const { storage, attempts, now } = asked.mesher;
      if (attempts.try(user.email, now()) > 0) throw new Refusal(429, "too many attempts");
      const known = await storage.credentials(user.email);
      const current = asked.body["current"] as string;
      if (known === null || !await verifyPassword(current, known.passwordHash)) {
        throw new Refusal(403, "the current password is wrong");
      }
      attempts.forgive(user.email);
      const password = asked.body["password"] as string;
      const problem = passwordProblem(password);
      if (problem !== null) throw new Refusal(400, problem);
      await storage.setPassword(user.id, await hashPassword(password));
      return { json: { status: "ok" } };
    },
  },
  {
    method: "GET",
    path: "/api/v1/sessions",
    name: "listSessions",
    about: "One's sessions and tokens.",
    access: "user",
    ok: 200,
    errors: [401],
    gives: '[{"id","kind","label","created_at","expires_at"}]',
    async handle(asked): Promise<Reply> {
      const sessions = await asked.mesher.storage.sessions(person(asked).user.id);
      return { json: sessions.map(sessionShape) };
    },
  },
  {
    method: "POST",
    path: "/api/v1/sessions/:session_id/end",
    name: "endSession",
    about: "Ends one of one's sessions or tokens.",
    access: "user",
    ok: 200,
    errors: [401, 404],
    gives: '{"status":"ok","affected"}',
    async handle(asked): Promise<Reply> {
      const { user } = person(asked);
      const id = asked.params["session_id"]!;
      if (await asked.mesher.storage.endSession(user.id, id)) {
        return { json: { status: "ok", affected: 1 } };
      }
      throw new Refusal(404, "session not found");
    },
  },
  {
    method: "POST",
    path: "/api/v1/tokens",
    name: "createToken",
    about: "Makes a token for a program: Authorization: Bearer …. Shown once.",
    access: "user",
    body: { label: { type: "string", required: true, max: 100 } },
    ok: 201,
    errors: [400, 401],
    gives: '{"token","id","expires_at"}',
    async handle(asked): Promise<Reply> {
      const { secret, hash } = newSecret("token");
      const { storage, now } = asked.mesher;
      const made = await storage.createSession({
        userId: person(asked).user.id,
        kind: "token",
        label: asked.body["label"] as string,
        secretHash: hash,
        expiresAt: now() + TOKEN_MS,
      });
      if (!made.ok) throw new Refusal(401, "unauthorized");
      return { json: { token: secret, id: made.value.id, expires_at: iso(made.value.expiresAt) } };
    },
  },
];

/** A form of another site cannot send JSON without being asked about first. */
function mustBeJson(request: Request): void {
  const type = request.headers.get("content-type") ?? "";
  if (/^application\/json\b/i.test(type)) return;
  throw new Refusal(403, "content-type must be application/json");
}

function person({ who }: Asked): Extract<Asked["who"], { kind: "user" }> {
  if (who.kind !== "user") throw new Refusal(401, "unauthorized");
  return who;
}
