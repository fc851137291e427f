/**
 * Routes of one-time links: invitations to an organisation, and password resets by mail. A link is
 * the URL of the page with a secret after `#`, which browsers do not send. The URL is taken from
 * `MESHER_PUBLIC_URL`, never from a request's `Host`.
 *
 * @module
 */
import { isMailAddress } from "../../domain/alert.ts";
import { hashSecret, isSecret, newSecret, type SecretKind } from "../../domain/secret.ts";
import { attemptMail, type Mail } from "../../pipeline/mail.ts";
import { iso } from "../../pipeline/time.ts";
import type { Mesher } from "../../mesher.ts";
import { ROLES } from "../../storage/organisations.ts";
import type { Invitation } from "../../storage/invitations.ts";
import type { User } from "../../storage/users.ts";
import { changeRoute } from "../change.ts";
import { clientOf, isSecure } from "../client.ts";
import { HttpError } from "../http_error.ts";
import { personOf } from "../auth.ts";
import { mustFit, mustWait } from "../quota.ts";
import type { Answer, Field, Reply, Route, RouteInput } from "../route.ts";
import { mustManage, organisationOf, personIn } from "../scope.ts";
import { organisationShape } from "../shapes.ts";
import { newPasswordHash, PASSWORD, signedIn } from "./account.ts";
import { managedBy } from "./organisations.ts";

/** Validity of an invitation, in milliseconds. */
const INVITATION_MS = 604_800_000;
/** Validity of the link for a password reset, in milliseconds. */
const RESET_MS = 3_600_000;
/** Maximum time for which a request waits for its mail to be sent, in milliseconds. */
const MAIL_WAIT_MS = 5_000;
const EMAIL: Field = { type: "string", required: true, max: 254 };
const SECRET: Field = { type: "string", required: true, max: 100 };

/** The routes of invitations and password resets. */
export const invitationRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/orgs/:org_id/invitations",
    name: "listInvitations",
    about: "Lists the invitations to an organisation that were not accepted yet.",
    access: "user",
    ok: 200,
    errors: [401, 403, 404],
    returns: '[{"id","email","role","created_at","expires_at"}]',
    async handle(asked): Promise<Reply> {
      const { organisation, role } = organisationOf(asked);
      mustManage(role);
      const all = await asked.mesher.storage.invitations(organisation.id);
      return { json: all.map(invitationShape) };
    },
  },
  {
    method: "POST",
    path: "/api/v1/orgs/:org_id/invitations",
    name: "invite",
    about:
      "Invites a user by mail. The response contains the link too, in case no mail can be sent. " +
      "A second invitation of an address replaces the first.",
    access: "user",
    body: { email: EMAIL, role: { type: "string", enum: ROLES } },
    ok: 201,
    errors: [400, 401, 403, 404, 409, 429],
    returns: '{"id","link","mail":"sent, failed, sending or off","expires_at"}',
    async handle(asked): Promise<Reply> {
      const { orgId, role } = managedBy(asked);
      const { mesher } = asked;
      const { storage, now, lookups } = mesher;
      const email = (asked.body["email"] as string).trim();
      if (!isMailAddress(email)) throw new HttpError(400, "email must be an address");
      const { user } = personIn(asked);
      mustWait(lookups.take(user.id, now()));
      const others = await storage.invitations(orgId);
      mustFit("invitations to one organization", others.length);
      const { secret, hash } = newSecret("invitation");
      const made = await storage.createInvitation({
        orgId,
        email,
        role,
        secretHash: hash,
        expiresAt: now() + INVITATION_MS,
      });
      if (!made.ok) throw new HttpError(404, "organization not found");
      const link = linkTo(mesher, "invitation", secret);
      const mail = await sendMail(mesher, invitationMail(made.value, user, link));
      return {
        json: { id: made.value.id, link, mail, expires_at: iso(made.value.expiresAt) },
      };
    },
  },
  changeRoute({
    path: "/api/v1/orgs/:org_id/invitations/:invitation_id/delete",
    name: "deleteInvitation",
    about: "Withdraws an invitation: its link no longer works.",
  }, async (asked) => {
    const { organisation, role } = organisationOf(asked);
    mustManage(role);
    const id = asked.params["invitation_id"]!;
    if (await asked.mesher.storage.deleteInvitation(organisation.id, id)) return true;
    throw new HttpError(404, "invitation not found");
  }),
  {
    method: "POST",
    path: "/api/v1/invitations/show",
    name: "showInvitation",
    about: "Returns the invitation of a link.",
    access: "public",
    body: { secret: SECRET },
    ok: 200,
    errors: [400, 404],
    returns: '{"organization","email","role","has_account"}',
    async handle(asked): Promise<Reply> {
      const { orgName, email, role } = await invitationOf(asked);
      const account = await asked.mesher.storage.credentials(email);
      return { json: { organization: orgName, email, role, has_account: account !== null } };
    },
  },
  {
    method: "POST",
    path: "/api/v1/invitations/accept",
    name: "acceptInvitation",
    about: "Accepts an invitation, with the account that is logged in, or with a new one, " +
      "which is then logged in.",
    access: "public",
    body: {
      secret: SECRET,
      password: { ...PASSWORD, required: false },
      display_name: { type: "string", max: 200 },
    },
    ok: 200,
    errors: [400, 401, 403, 404, 409, 503],
    returns: '{"organization":{…}}, or {"user":{…},"expires_at"} of a new account',
    async handle(asked): Promise<Answer> {
      const { mesher, body } = asked;
      const invitation = await invitationOf(asked);
      const person = await loggedIn(asked);
      await mustHaveRoom(asked, invitation.orgId, person);
      if (person !== null) return { json: await join(asked, invitation, person.id) };
      if (await mesher.storage.credentials(invitation.email) !== null) {
        throw new HttpError(401, "this address has an account: log in first");
      }
      const password = body["password"] as string | undefined;
      if (password === undefined) throw new HttpError(400, "password is required");
      const passwordHash = await newPasswordHash(mesher, password);
      const displayName = (body["display_name"] as string | undefined)?.trim() || invitation.email;
      const made = await mesher.storage.createUser({
        email: invitation.email,
        displayName,
        passwordHash,
      });
      if (!made.ok) throw new HttpError(401, "this address has an account: log in first");
      await join(asked, invitation, made.value.id);
      return await signedIn(asked, made.value, passwordHash);
    },
  },
  {
    method: "POST",
    path: "/api/v1/password/forgot",
    name: "forgotPassword",
    about: "Sends a link for setting a new password to the address, if it has an account. " +
      "The response is the same if it has none.",
    access: "public",
    body: { email: EMAIL },
    ok: 202,
    errors: [400, 409, 429],
    returns: '{"status":"ok"}',
    async handle(asked): Promise<Reply> {
      const { mesher, request, remote } = asked;
      const { resets, now, config, storage } = mesher;
      if (config.mail === null) {
        throw new HttpError(409, "this installation sends no mail: ask its administrator");
      }
      const email = (asked.body["email"] as string).trim().toLowerCase();
      mustWait(resets.take(clientOf(request.headers, remote.hostname, config.proxies), now()));
      // Few mails are sent to one account. Further requests get the same response, so that it does
      // not reveal whether the account exists.
      if (resets.take(`account ${email}`, now()) === 0) {
        const known = await storage.credentials(email);
        // Not awaited, because the duration would reveal whether the account exists.
        if (known !== null) sendReset(mesher, known.user);
      }
      return { json: { status: "ok" } };
    },
  },
  {
    method: "POST",
    path: "/api/v1/password/reset",
    name: "resetPassword",
    about: "Sets a new password with the link of a mail. Ends all sessions; tokens stay valid.",
    access: "public",
    body: { secret: SECRET, password: PASSWORD },
    ok: 200,
    errors: [400, 404, 503],
    returns: '{"status":"ok"}',
    async handle(asked): Promise<Reply> {
      const { mesher, body } = asked;
      // The password is checked first, because the link works only once.
      const passwordHash = await newPasswordHash(mesher, body["password"] as string);
      const userId = await mesher.storage.takeReset(secretHashOf(asked, "reset"));
      if (userId === null) throw new HttpError(404, "the link is not valid any more");
      await mesher.storage.setPassword(userId, passwordHash);
      return { json: { status: "ok" } };
    },
  },
];

function invitationShape({ id, email, role, createdAt, expiresAt }: Invitation) {
  return { id, email, role, created_at: iso(createdAt), expires_at: iso(expiresAt) };
}

/** Returns the hash of the secret in the body. Throws 404 if it is malformed. */
function secretHashOf({ body }: RouteInput, kind: SecretKind): string {
  const secret = body["secret"] as string;
  if (!isSecret(kind, secret)) throw new HttpError(404, "the link is not valid any more");
  return hashSecret(secret);
}

async function invitationOf(asked: RouteInput): Promise<Invitation> {
  const hash = secretHashOf(asked, "invitation");
  const found = await asked.mesher.storage.invitationBySecret(hash);
  if (found === null) throw new HttpError(404, "the link is not valid any more");
  return found;
}

/** Returns the user of the request's session, or null. Throws 403 for a page of another site. */
async function loggedIn({ request, url, remote, mesher }: RouteInput): Promise<User | null> {
  const secure = isSecure(request.headers, remote.hostname, mesher.config);
  try {
    const { user, session } = await personOf({ request, url, isSecure: secure }, mesher);
    return session.kind === "session" ? user : null;
  } catch (error) {
    if (error instanceof HttpError && error.status === 401) return null;
    throw error;
  }
}

/**
 * Throws 409 if the organisation or the user has reached a quota. `user` is null for a new account.
 */
async function mustHaveRoom(
  { mesher }: RouteInput,
  orgId: string,
  user: User | null,
): Promise<void> {
  const { storage } = mesher;
  mustFit("members of one organization", (await storage.members(orgId)).length);
  if (user === null) return;
  mustFit("organizations of one user", (await storage.organisationsOf(user.id)).length);
}

async function join(asked: RouteInput, invitation: Invitation, userId: string): Promise<unknown> {
  const { storage } = asked.mesher;
  const joined = await storage.acceptInvitation(secretHashOf(asked, "invitation"), userId);
  if (joined.ok) {
    const membership = await storage.organisationOf(userId, invitation.orgId);
    return { organization: membership === null ? null : organisationShape(membership) };
  }
  throw joined.reason === "already_member"
    ? new HttpError(409, "already a member")
    : new HttpError(404, "the link is not valid any more");
}

function linkTo({ config, place }: Mesher, view: string, secret: string): string {
  return `${config.publicUrl ?? place.url ?? ""}/#/${view}/${secret}`;
}

function invitationMail({ email, orgName }: Invitation, by: User, link: string): Mail {
  return {
    to: [email],
    subject: `${oneLine(by.displayName)} invites you to ${oneLine(orgName)} on Mesher`,
    text:
      `${by.displayName} (${by.email}) invites you to ${orgName} on Mesher, where the errors of ` +
      `programs are gathered.\n\nAccept within a week:\n\n${link}\n\n` +
      "If you do not know them, ignore this mail.\n",
  };
}

async function sendReset(mesher: Mesher, user: User): Promise<void> {
  const { storage, now, config, log } = mesher;
  try {
    const { secret, hash } = newSecret("reset");
    await storage.createReset({ userId: user.id, secretHash: hash, expiresAt: now() + RESET_MS });
    const came = await attemptMail(config.mail, {
      to: [user.email],
      subject: "A new password for Mesher",
      text:
        "Somebody, you perhaps, wants a new password for this address on Mesher. Set it within " +
        `an hour:\n\n${linkTo(mesher, "reset", secret)}\n\n` +
        "If it was not you, ignore this mail: nothing has changed.\n",
    });
    if (came.kind === "failed") log("warn", `the mail of a password reset: ${came.why}`);
  } catch (error) {
    log("warn", `a password reset: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * Sends a mail. Resolves with the result: "sent", "failed", "off", or "sending" if it is not known
 * after `MAIL_WAIT_MS`.
 */
async function sendMail({ config, log }: Mesher, mail: Mail): Promise<string> {
  if (config.mail === null) return "off";
  const attempt = attemptMail(config.mail, mail).then((came) => {
    if (came.kind === "failed") log("warn", `the mail of an invitation: ${came.why}`);
    return came.kind === "delivered" ? "sent" : "failed";
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((wake) => {
    timer = setTimeout(() => wake("sending"), MAIL_WAIT_MS);
  });
  const result = await Promise.race([attempt, late]);
  clearTimeout(timer);
  return result;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").slice(0, 100);
}
