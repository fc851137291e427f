/**
 * Requests about users: signing in and out, the current user, organisations and their members.
 *
 * @module
 */
import { ApiError, get, part, post } from "./request.js";
import { flag, list, listOf, maybeText, objectOf, oneOf, shape, text, time } from "./values.js";

/** @import * as model from "../model.js" */
/** @import { Signal } from "./request.js" */

/**
 * The key under which the browser stores that a user has signed in. If it is absent, `me` rejects
 * without a request to the server.
 */
const SIGNED_IN = "mesher.signedin";

const ROLES = /** @type {const} */ (["member", "admin", "owner"]);
const NAME = text("display_name", "email");

/** Converts JSON to a user. @type {(value: unknown) => model.User} */
const userFrom = shape({
  id: text("id"),
  email: text("email"),
  name: NAME,
  isOperator: flag("operator"),
});

/** Converts JSON to the address of another node. @type {(value: unknown) => model.OtherNode} */
const otherFrom = shape({ name: text("name"), url: maybeText("http_url") });

/** Converts JSON to an organisation. @type {(value: unknown) => model.Organisation} */
const organisationFrom = shape({
  id: text("id"),
  name: text("name"),
  slug: text("slug"),
  role: oneOf("role", ROLES),
});

/** Converts JSON to a member. @type {(value: unknown) => model.Member} */
const memberFrom = shape({
  id: text("id"),
  userId: text("user_id"),
  email: text("email"),
  name: NAME,
  role: oneOf("role", ROLES),
  joinedAt: time("joined_at"),
});

/** Logs in. @param {string} email @param {string} password */
export async function login(email, password) {
  await post("/login", { email, password });
  localStorage.setItem(SIGNED_IN, "yes");
}

/** Ends the current session. */
export async function logout() {
  await post("/logout");
  localStorage.removeItem(SIGNED_IN);
}

/**
 * Records that the user is signed in. Called if the page of another node has opened this page: the
 * session's cookie is valid here too, because all ports of a host share their cookies.
 */
export function comeFromOtherNode() {
  localStorage.setItem(SIGNED_IN, "yes");
}

/** Returns whether the user is signed in. @returns {Promise<boolean>} */
export async function isSignedIn() {
  try {
    await me();
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return false;
    throw error;
  }
}

/**
 * Returns the user and the user's organisations, the other nodes, and settings of the server.
 *
 * @returns {Promise<{
 *   user: model.User, organisations: model.Organisation[], nodes: model.OtherNode[],
 *   publicUrl: string | null, sendsMail: boolean,
 * }>}
 */
export async function me() {
  if (localStorage.getItem(SIGNED_IN) === null) throw new ApiError(401, "No user is signed in.");
  const raw = objectOf(await get("/me"));
  return {
    user: userFrom(raw.user),
    organisations: list("organisations", organisationFrom)(raw),
    nodes: list("nodes", otherFrom)(raw),
    publicUrl: maybeText("public_url")(raw),
    sendsMail: flag("mail")(raw),
  };
}

/**
 * Changes the password of the user. Ends all sessions, and with `endTokens` all tokens too.
 *
 * @param {string} current @param {string} password @param {boolean} endTokens
 */
export async function setPassword(current, password, endTokens) {
  await post("/password", { current, password, end_tokens: endTokens });
}

/** Creates an organisation. @param {string} name @returns {Promise<model.Organisation>} */
export async function createOrganisation(name) {
  return organisationFrom(await post("/orgs", { name }));
}

/**
 * Returns the members of an organisation.
 *
 * @param {string} orgId
 * @param {Signal} [signal]
 * @returns {Promise<model.Member[]>}
 */
export async function members(orgId, signal) {
  return listOf(await get(`/orgs/${part(orgId)}/members`, {}, signal)).map(memberFrom);
}

/** Converts JSON to an invitation. @type {(value: unknown) => model.Invitation} */
const invitationFrom = shape({
  id: text("id"),
  email: text("email"),
  role: oneOf("role", ROLES),
  expiresAt: time("expires_at"),
});

/**
 * Returns the invitations of an organisation that were not accepted yet.
 *
 * @param {string} orgId
 * @param {Signal} [signal]
 * @returns {Promise<model.Invitation[]>}
 */
export async function invitations(orgId, signal) {
  return listOf(await get(`/orgs/${part(orgId)}/invitations`, {}, signal)).map(invitationFrom);
}

/** Reads the result of an invitation: its link, and whether it was sent by mail. */
const invitedFrom = shape({ link: text("link"), mail: text("mail") });

/**
 * Invites an address to an organisation. Returns the link.
 *
 * @param {string} orgId
 * @param {{ email: string, role: string }} input
 */
export async function invite(orgId, input) {
  return invitedFrom(await post(`/orgs/${part(orgId)}/invitations`, input));
}

/**
 * Deletes an invitation, so that its link no longer works.
 *
 * @param {string} orgId
 * @param {string} id
 */
export async function withdrawInvitation(orgId, id) {
  await post(`/orgs/${part(orgId)}/invitations/${part(id)}/delete`);
}

const shownFrom = shape({
  organisation: text("organization"),
  email: text("email"),
  role: text("role"),
  hasAccount: flag("has_account"),
});

/** Returns the invitation of a link. @param {string} secret */
export async function invitation(secret) {
  return shownFrom(await post("/invitations/show", { secret }));
}

/**
 * Accepts an invitation, and logs the user in.
 *
 * @param {string} secret
 * @param {{ password?: string, display_name?: string }} input
 */
export async function acceptInvitation(secret, input) {
  await post("/invitations/accept", { secret, ...input });
  localStorage.setItem(SIGNED_IN, "yes");
}

/** Requests a mail with a link for a password reset. @param {string} email */
export async function forgotPassword(email) {
  await post("/password/forgot", { email });
}

/**
 * Sets a new password with the secret of a reset link.
 *
 * @param {string} secret
 * @param {string} password
 */
export async function resetPassword(secret, password) {
  await post("/password/reset", { secret, password });
}

/**
 * Changes the role of a member.
 *
 * @param {string} orgId
 * @param {string} memberId
 * @param {string} role
 */
export async function setRole(orgId, memberId, role) {
  await post(`/orgs/${part(orgId)}/members/${part(memberId)}/role`, { role });
}

/** Removes a member from an organisation. @param {string} orgId @param {string} memberId */
export async function removeMember(orgId, memberId) {
  await post(`/orgs/${part(orgId)}/members/${part(memberId)}/remove`);
}
