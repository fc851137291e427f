// deno-lint-ignore-file no-console
/**
 * Tests teams: invitations and password resets by mail of a real SMTP server, scoped tokens, and
 * keys that can be shown again.
 */
import { assert, assertEquals } from "@std/assert";
import { QUOTAS } from "../../mesher/http/quota.ts";
import { test, until } from "../kit/test.ts";
import { providePackage } from "./driver.ts";
import { Client, type Got, loggedIn, onStage, type Stage } from "./end_to_end_kit.ts";
import { withMailServer } from "./mail_server.ts";

const PASSWORD = "a long enough password";

/** Returns the secret of the first link to a view in a mail, in which long lines are broken. */
function linkIn(mail: string, view: string): string {
  const text = mail.replace(/=\r?\n/g, "").replaceAll("=3D", "=");
  const found = new RegExp(`http\\S+/#/${view}/(\\S+)`).exec(text);
  assert(found !== null, text);
  return found[1]!;
}

function cookieOf(headers: Headers): string {
  return headers.get("set-cookie")!.split(";")[0]!;
}

const invitations = "/api/v1/orgs/default/invitations";
const accept = "/api/v1/invitations/accept";

const missing = await providePackage("nodemailer@10.6.0");
if (missing !== undefined) console.log(`teams_test: mail skipped, ${missing}`);
else {
  const onMailStage = (body: (stage: Stage, mails: readonly string[]) => Promise<void>) =>
    withMailServer(({ host, mails }) =>
      onStage((stage) => body(stage, mails), {
        mail: { url: `smtp://${host}`, from: "Mesher <mesher@h.example>" },
        publicUrl: "https://errors.example/mesher",
      })
    );

  test("An invitation by mail creates an account once", () =>
    onMailStage(async ({ app, user }, mails) => {
      const made = await user.post(invitations, { email: "Grace@Example.org", role: "admin" });
      assertEquals([made.status, made.json.mail], [201, "sent"]);
      await until("the mail has arrived", () => mails.length === 1);
      assert(mails[0]!.includes("To: Grace@example.org"), mails[0]);
      const secret = linkIn(mails[0]!, "invitation");
      assertEquals(made.json.link, `https://errors.example/mesher/#/invitation/${secret}`);
      assertEquals((await user.get(invitations)).json.length, 1);

      const anybody = new Client(app.url);
      assertEquals((await anybody.post("/api/v1/invitations/show", { secret })).json, {
        organization: "Default",
        email: "Grace@Example.org",
        role: "admin",
        has_account: false,
      });
      assertEquals((await anybody.post(accept, { secret })).status, 400);
      assertEquals((await anybody.post(accept, { secret, password: "short" })).status, 400);
      const accepted = await anybody.post(accept, { secret, password: PASSWORD });
      assertEquals(accepted.status, 200);
      const grace = new Client(app.url, { cookie: cookieOf(accepted.headers) });
      const me = (await grace.get("/api/v1/me")).json;
      assertEquals([me.organisations[0].slug, me.organisations[0].role], ["default", "admin"]);
      await loggedIn(app.url, "grace@example.org", PASSWORD);
      assertEquals((await anybody.post(accept, { secret, password: PASSWORD })).status, 404);
      assertEquals((await user.get(invitations)).json, []);
    }));

  test("A reset link in a mail sets a new password", () =>
    onMailStage(async ({ app, first, user }, mails) => {
      const anybody = new Client(app.url);
      const forgot = (email: string) => anybody.post("/api/v1/password/forgot", { email });
      const [unknown, known] = [await forgot("nobody@example.org"), await forgot(first.email)];
      assertEquals([unknown.status, unknown.json], [202, { status: "ok" }]);
      assertEquals([known.status, known.json], [202, { status: "ok" }]);
      await until("the mail has arrived", () => mails.length === 1);
      assert(mails[0]!.includes(`To: ${first.email}`));
      const secret = linkIn(mails[0]!, "reset");
      const reset = (secret: string, password: string) =>
        anybody.post("/api/v1/password/reset", { secret, password });
      assertEquals((await reset(secret, "short")).status, 400);
      assertEquals((await reset(secret.replace(/.$/, "x"), PASSWORD)).status, 404);
      assertEquals((await reset(secret, PASSWORD)).status, 200);
      assertEquals((await user.get("/api/v1/me")).status, 401, "the sessions have ended");
      assertEquals((await reset(secret, PASSWORD)).status, 404, "the link is valid once");
      await loggedIn(app.url, first.email, PASSWORD);
      for (let i = 0; i < 3; i++) await forgot("x@example.org");
      assertEquals((await forgot("x@example.org")).status, 429);
    }));
}

test("An invitation of an existing user can be accepted by that user only", () =>
  onStage(async ({ app, user }) => {
    const org = (await user.post("/api/v1/orgs", { name: "Other" })).json;
    await user.post(`/api/v1/orgs/${org.id}/users`, {
      email: "bert@example.org",
      password: PASSWORD,
    });
    const bert = await loggedIn(app.url, "bert@example.org", PASSWORD);
    const invite = async (): Promise<[id: string, secret: string]> => {
      const { json } = await user.post(invitations, { email: "bert@example.org" });
      assertEquals(json.mail, "off");
      assert(json.link.startsWith(`${app.url}/#/invitation/`), json.link);
      return [json.id, json.link.replace(/.*\//, "")];
    };
    const [id, withdrawn] = await invite();
    const anybody = new Client(app.url);
    const shown = await anybody.post("/api/v1/invitations/show", { secret: withdrawn });
    assertEquals(shown.json.has_account, true);
    assertEquals(
      (await anybody.post(accept, { secret: withdrawn, password: PASSWORD })).status,
      401,
    );
    assertEquals((await bert.post(`${invitations}/${id}/delete`)).status, 404);
    assertEquals((await user.post(`${invitations}/${id}/delete`)).status, 200);
    assertEquals((await bert.post(accept, { secret: withdrawn })).status, 404);
    const [, secret] = await invite();
    const foreign = bert.as({ ...bert.headers, origin: "https://evil.example" });
    assertEquals((await foreign.post(accept, { secret })).status, 403);
    assertEquals((await bert.post(accept, { secret })).json.organization.role, "member");
    // Members cannot invite users, and only owners can invite owners.
    assertEquals((await bert.post(invitations, { email: "c@example.org" })).status, 403);
    assertEquals((await bert.get(invitations)).status, 403);
    for (const email of ["no address", "a@b, c@d", "a@b\nBcc: c@d"]) {
      assertEquals((await user.post(invitations, { email })).status, 400, email);
    }
    assertEquals((await anybody.post("/api/v1/password/forgot", { email: "a@b" })).status, 409);
  }));

test("An invitation over a quota is rejected until there is room", () =>
  onStage(async ({ app, first, user }) => {
    const { storage } = app.mesher;
    const member = async (orgId: string, email: string): Promise<string> => {
      const made = await storage.createUser({ email, displayName: email, passwordHash: "-" });
      assert(made.ok);
      const added = await storage.addMember(orgId, made.value.id, "member");
      assert(added.ok);
      return added.value.id;
    };
    const invite = async (path: string): Promise<{ secret: string }> => {
      const { json } = await user.post(path, { email: "new@example.org" });
      return { secret: json.link.replace(/.*\//, "") };
    };
    const anybody = new Client(app.url);
    const invited = await invite(invitations);
    const answer = () => anybody.post(accept, { ...invited, password: PASSWORD });
    let last = "";
    for (let i = 1; i < QUOTAS["members of one organization"]; i++) {
      last = await member(first.organisationId, `u${i}@example.org`);
    }
    assertEquals((await answer()).status, 409);
    assertEquals(await storage.credentials("new@example.org"), null);
    await storage.removeMember(first.organisationId, last);
    const accepted = await answer();
    assertEquals(accepted.status, 200);

    const person = new Client(app.url, { cookie: cookieOf(accepted.headers) });
    const { id } = (await person.get("/api/v1/me")).json.user;
    const other = (await user.post("/api/v1/orgs", { name: "Other" })).json;
    const again = await invite(`/api/v1/orgs/${other.id}/invitations`);
    for (let i = 1; i < QUOTAS["organizations of one user"]; i++) {
      await storage.createOrganisation({ name: "o", slug: `o${i}`, ownerId: id });
    }
    assertEquals((await person.post(accept, again)).status, 409);
    assertEquals((await storage.organisationsOf(id)).length, QUOTAS["organizations of one user"]);
  }));

test("A scoped token allows only the operations of its scopes", () =>
  onStage(async ({ app, user, sender }) => {
    await sender.post("/api/v1/events", { message: "one" });
    const list = async () => (await user.get("/api/v1/projects/default/issues")).json.data;
    await until("the event is stored", async () => (await list()).length === 1);
    const [issue] = await list();
    const token = async (scopes?: string): Promise<Client> => {
      const made = await user.post("/api/v1/tokens", { label: scopes ?? "all", scopes });
      assertEquals(made.status, 201);
      return new Client(app.url, { authorization: `Bearer ${made.json.token}` });
    };
    for (const scopes of ["", "everything", "read write"]) {
      const { status } = await user.post("/api/v1/tokens", { label: "x", scopes });
      assertEquals(status, 400, scopes);
    }
    const asks: readonly [string, (client: Client) => Promise<Got>][] = [
      ["read", (client) => client.get("/api/v1/projects/default/issues")],
      ["issues", (client) => client.post(`/api/v1/issues/${issue.id}/resolve`)],
      ["manage", (client) => client.post("/api/v1/projects/default/settings", {})],
      ["manage", (client) => client.post(invitations, { email: "a@example.org" })],
      ["account", (client) => client.post("/api/v1/tokens", { label: "more" })],
      ["account", (client) => client.post("/api/v1/password", { current: "x", password: "y" })],
      ["account", (client) => client.post("/api/v1/sessions/x/end")],
      ["account", (client) => client.post("/api/v1/operators", { email: "a@example.org" })],
    ];
    for (const scopes of ["read", "issues", "releases", "manage", "read, issues", undefined]) {
      const client = await token(scopes);
      for (const [needed, ask] of asks) {
        const mayDo = scopes === undefined || scopes.includes(needed);
        const { json } = await ask(client);
        const isRefused = `${json?.error}`.startsWith("this token lacks the scope");
        assertEquals([scopes, needed, isRefused], [scopes, needed, !mayDo]);
      }
    }
    const tokens = (await user.get("/api/v1/sessions")).json;
    assert(tokens.some(({ scopes }: { scopes: string[] }) => `${scopes}` === "read,issues"));
  }));

test("A project's keys can be shown again to members", () =>
  onStage(async ({ app, first, user }) => {
    const keys = "/api/v1/projects/default/api-keys";
    assertEquals((await user.get(keys)).json[0].key_value, first.key);
    const made = (await user.post(keys, { label: "web" })).json;
    assertEquals((await user.get(keys)).json[1].key_value, made.key_value);
    const { token } = (await user.post("/api/v1/tokens", { label: "r", scopes: "read" })).json;
    const reader = new Client(app.url, { authorization: `Bearer ${token}` });
    const shown = (await reader.get(keys)).json;
    assertEquals(shown.map((key: { key_value: unknown }) => key.key_value), [null, null]);
  }));
