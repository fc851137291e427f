// deno-lint-ignore-file no-console
/**
 * What every storage promises, as tests. `storage_test.ts` runs them on each engine.
 */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import type { Level } from "../../mesher/domain/event.ts";
import { newId } from "../../mesher/domain/id.ts";
import {
  type EventOutcome,
  type Project,
  type Result,
  type Storage,
  StorageError,
  type User,
} from "../../mesher/storage/storage.ts";
import { test } from "../kit/test.ts";
import { entryWith, realisticEntry } from "./event.ts";

/** An empty storage of its own for one test. */
export interface Opened {
  /** Opens it; each time another connection to the same data. */
  open(): Promise<Storage>;
  /** Deletes it. */
  drop(): Promise<void>;
}

/** One engine. */
export interface Engine {
  readonly name: string;
  /** Whether a second `open` sees the same data. */
  readonly shared: boolean;
  fresh(now: () => number): Promise<Opened>;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** Noon, so that the tests' hours lie in one day unless they mean to cross one. */
const NOON = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2;

/** What has caused trouble in databases. */
const NASTY: readonly string[] = [
  "'; DROP TABLE events; --",
  `" OR ""="`,
  "\\'; DELETE FROM users; --",
  "100% _under_ !bang",
  "$1 ?1 :name @p",
  "a\0b",
  "half \ud83d pair",
  "🎉 emoji 👩‍👩‍👧",
  "\u202eעברית العربية",
  "{\"json\": [1, 'x']}",
  '{,}"\\ NULL',
  "line\r\nbreak\ttab\x1eseparator",
  "<script>alert(1)</script>",
];

/** As it comes back. */
const kept = (text: string): string => text.toWellFormed().replaceAll("\0", "\ufffd");

function valueOf<T>(result: Result<T, string>): T {
  if (!result.ok) throw new Error(`refused: ${result.reason}`);
  return result.value;
}

/** An organisation with its owner and a project. */
interface Party {
  readonly orgId: string;
  readonly owner: User;
  readonly project: Project;
}

async function party(storage: Storage, name: string): Promise<Party> {
  const owner = valueOf(
    await storage.createUser({
      email: `${name}@example.org`,
      displayName: name,
      passwordHash: "hash",
    }),
  );
  const org = valueOf(
    await storage.createOrganisation({ name, slug: name, ownerId: owner.id }),
  );
  const project = valueOf(
    await storage.createProject({ orgId: org.id, name: "Shop", slug: "shop", platform: "deno" }),
  );
  return { orgId: org.id, owner, project };
}

/** What a test is given. */
interface World {
  readonly storage: Storage;
  readonly opened: Opened;
  readonly a: Party;
  readonly b: Party;
  /** The storage's time. */
  readonly clock: { now: number };
}

/** Declares the tests of one engine. */
export function storageContract(engine: Engine): void {
  const promise = (what: string, body: (world: World) => Promise<void>): void =>
    test(`Storage on ${engine.name} ${what}`, async () => {
      const clock = { now: NOON };
      const opened = await engine.fresh(() => clock.now);
      const storage = await opened.open();
      try {
        const [a, b] = [await party(storage, "anna"), await party(storage, "bert")];
        await body({ storage, opened, a, b, clock });
      } finally {
        await storage.close();
        await opened.drop();
      }
    });

  const kinds = (outcomes: readonly EventOutcome[]) => outcomes.map(({ kind }) => kind);
  const issueOf = (outcome: EventOutcome | undefined): string => {
    assert(outcome?.kind === "stored", `outcome ${outcome?.kind}`);
    return outcome.issueId;
  };

  promise("knows users by their address in any case", async ({ storage, a }) => {
    assertEquals(await storage.userCount(), 2);
    assertEquals(
      await storage.createUser({
        email: " ANNA@Example.org",
        displayName: "x",
        passwordHash: "y",
      }),
      { ok: false, reason: "email_taken" },
    );
    const found = await storage.credentials("Anna@EXAMPLE.org ");
    assertEquals(found, { user: a.owner, passwordHash: "hash" });
    assertEquals(await storage.user(a.owner.id), a.owner);
    assertEquals(await storage.credentials("nobody@example.org"), null);
    assertEquals(await storage.user(newId()), null);
    assertEquals(await storage.user("'; --"), null);
  });

  promise("ends the sessions of who gets a new password, not the tokens", async (world) => {
    const { storage, a, clock } = world;
    const make = async (kind: "session" | "token", secretHash: string, expiresAt: number) =>
      valueOf(
        await storage.createSession({
          userId: a.owner.id,
          kind,
          label: "l",
          secretHash,
          expiresAt,
        }),
      );
    const session = await make("session", "s1", NOON + 1000);
    const token = await make("token", "t1", NOON + 5000);
    assertEquals(await storage.sessionBySecret("s1"), { session, user: a.owner });
    assertEquals(await storage.sessionBySecret("nothing"), null);
    assertEquals((await storage.sessions(a.owner.id)).length, 2);

    assertEquals(await storage.setPassword(a.owner.id, "new hash"), true);
    assertEquals((await storage.credentials(a.owner.email))?.passwordHash, "new hash");
    assertEquals(await storage.sessionBySecret("s1"), null);
    assertEquals((await storage.sessionBySecret("t1"))?.session, token);
    assertEquals(await storage.setPassword(newId(), "x"), false);

    clock.now = NOON + 5000;
    assertEquals(await storage.sessionBySecret("t1"), null, "it has expired");
    assertEquals(await storage.sessions(a.owner.id), []);
    assertEquals(
      await storage.createSession({
        userId: newId(),
        kind: "token",
        label: "",
        secretHash: "x",
        expiresAt: 1,
      }),
      { ok: false, reason: "no_user" },
    );
  });

  promise("ends one's own sessions only", async ({ storage, a, b }) => {
    const { id } = valueOf(
      await storage.createSession({
        userId: a.owner.id,
        kind: "session",
        label: "",
        secretHash: "s",
        expiresAt: NOON + 1,
      }),
    );
    assertEquals(await storage.endSession(b.owner.id, id), false);
    assertEquals(await storage.endSession(a.owner.id, id), true);
    assertEquals(await storage.endSession(a.owner.id, id), false);
  });

  promise("shows an organisation to its members", async ({ storage, a, b }) => {
    const found = await storage.organisationOf(a.owner.id, "anna");
    assertEquals(found?.role, "owner");
    assertEquals(found?.organisation.id, a.orgId);
    assertEquals(await storage.organisationOf(a.owner.id, a.orgId), found);
    assertEquals(await storage.organisationsOf(a.owner.id), [found!]);
    assertEquals(await storage.organisationOf(b.owner.id, a.orgId), null);
    assertEquals(await storage.organisationOf(b.owner.id, "anna"), null);
    assertEquals(
      await storage.createOrganisation({ name: "x", slug: "anna", ownerId: b.owner.id }),
      { ok: false, reason: "slug_taken" },
    );
    assertEquals(
      await storage.createOrganisation({ name: "x", slug: "x", ownerId: newId() }),
      { ok: false, reason: "no_user" },
    );
  });

  promise("keeps an owner in every organisation", async ({ storage, a, b }) => {
    const [owner] = await storage.members(a.orgId);
    assertEquals(owner?.role, "owner");
    assertEquals(await storage.setRole(a.orgId, owner!.id, "member"), {
      ok: false,
      reason: "last_owner",
    });
    assertEquals(await storage.removeMember(a.orgId, owner!.id), {
      ok: false,
      reason: "last_owner",
    });
    const second = valueOf(await storage.addMember(a.orgId, b.owner.id, "member"));
    assertEquals(await storage.addMember(a.orgId, b.owner.id, "admin"), {
      ok: false,
      reason: "already_member",
    });
    assertEquals(await storage.addMember(newId(), b.owner.id, "admin"), {
      ok: false,
      reason: "no_org",
    });
    assertEquals(await storage.addMember(a.orgId, newId(), "admin"), {
      ok: false,
      reason: "no_user",
    });
    assertEquals(valueOf(await storage.setRole(a.orgId, second.id, "owner")).role, "owner");
    // Both at once: one of them must stay.
    const left = await Promise.all([
      storage.removeMember(a.orgId, owner!.id),
      storage.removeMember(a.orgId, second.id),
    ]);
    assertEquals(left.filter(({ ok }) => ok).length, 1);
    assertEquals((await storage.members(a.orgId)).map(({ role }) => role), ["owner"]);
  });

  promise("finds projects in their organisation, by id and by slug", async (world) => {
    const { storage, a, b } = world;
    assertEquals(await storage.project(a.orgId, a.project.id), a.project);
    assertEquals(await storage.project(a.orgId, "shop"), a.project);
    assertEquals(await storage.project(b.orgId, "shop"), b.project);
    assertEquals(await storage.projects(a.orgId), [a.project]);
    assertEquals(await storage.projectById(b.project.id), b.project);
    assertEquals((await storage.allProjects()).length, 2);
    assertEquals(
      await storage.createProject({ orgId: a.orgId, name: "x", slug: "shop", platform: null }),
      { ok: false, reason: "slug_taken" },
    );
    assertEquals(
      await storage.createProject({ orgId: newId(), name: "x", slug: "x", platform: null }),
      { ok: false, reason: "no_org" },
    );
    const changed = await storage.updateProject(a.orgId, a.project.id, {
      retentionDays: 7,
      sampleRate: 0.25,
      platform: null,
    });
    assertEquals(changed, { ...a.project, retentionDays: 7, sampleRate: 0.25, platform: null });
    assertEquals(await storage.project(a.orgId, "shop"), changed);
  });

  promise("finds a project by a key until the key is revoked", async ({ storage, a }) => {
    const key = valueOf(
      await storage.createApiKey(a.orgId, {
        projectId: a.project.id,
        label: "web",
        prefix: "mshr_1234",
        secretHash: "k1",
      }),
    );
    assertEquals(await storage.projectByKey("k1"), { project: a.project, keyId: key.id });
    assertEquals(await storage.projectByKey("k2"), null);
    assertEquals(await storage.apiKeys(a.orgId, a.project.id), [key]);
    assertEquals(await storage.revokeApiKey(a.orgId, key.id), true);
    assertEquals(await storage.revokeApiKey(a.orgId, key.id), false);
    assertEquals(await storage.projectByKey("k1"), null);
    assertEquals((await storage.apiKeys(a.orgId, a.project.id))[0]?.revokedAt, NOON);
  });

  promise("gives back the event that was written", async ({ storage, a }) => {
    const entry = realisticEntry(a.project.id, NOON, 1);
    const [outcome] = await storage.writeEvents([entry]);
    assertEquals(outcome, {
      kind: "stored",
      issueId: issueOf(outcome),
      first: true,
      regressed: false,
    });
    assertEquals(await storage.event(a.orgId, entry.event.id), {
      projectId: a.project.id,
      issueId: issueOf(outcome),
      fingerprint: entry.fingerprint,
      title: entry.title,
      receivedAt: NOON,
      event: entry.event,
      nextId: null,
      previousId: null,
    });
    const issue = await storage.issue(a.orgId, issueOf(outcome));
    assertEquals(issue?.title, entry.title);
    assertEquals(issue?.culprit, entry.culprit);
    assertEquals(issue?.fingerprint, entry.fingerprint);
    assertEquals([issue?.eventCount, issue?.firstSeen, issue?.lastSeen], [1, NOON, NOON]);
    assertEquals(await storage.writeEvents([]), []);
  });

  promise("stores an event once, whenever and however often it comes", async (world) => {
    const { storage, a, b } = world;
    const entry = entryWith(a.project.id, NOON);
    const again = { ...entry, receivedAt: NOON + DAY_MS };
    assertEquals(kinds(await storage.writeEvents([entry, entry])), ["stored", "duplicate"]);
    assertEquals(kinds(await storage.writeEvents([entry])), ["duplicate"]);
    assertEquals(kinds(await storage.writeEvents([again])), ["duplicate"], "on another day");
    const [issue] = (await storage.issues(a.orgId, a.project.id, {}, { limit: 9 })).rows;
    assertEquals([issue?.eventCount, issue?.lastSeen], [1, NOON]);
    assertEquals(await storage.eventCount(a.project.id, 0), 1);
    // Another project's event of the same id is another event.
    const other = { ...entry, projectId: b.project.id };
    assertEquals(kinds(await storage.writeEvents([other])), ["stored"]);
    assertEquals((await storage.event(b.orgId, entry.event.id))?.projectId, b.project.id);
    assertEquals((await storage.event(a.orgId, entry.event.id))?.projectId, a.project.id);
  });

  promise("writes the rest of a batch beside events of no project", async ({ storage, a }) => {
    const outcomes = await storage.writeEvents([
      entryWith(newId(), NOON),
      entryWith(a.project.id, NOON),
      entryWith(newId(), NOON),
    ]);
    assertEquals(kinds(outcomes), ["orphan", "stored", "orphan"]);
    assertEquals(kinds(await storage.writeEvents([entryWith(newId(), NOON)])), ["orphan"]);
  });

  promise("groups by fingerprint and tells each issue's first event once", async (world) => {
    const { storage, a } = world;
    const outcomes = await storage.writeEvents([
      entryWith(a.project.id, NOON + 2, { message: "one" }),
      entryWith(a.project.id, NOON + 9, { message: "one", level: "fatal" }),
      entryWith(a.project.id, NOON + 1, { message: "two" }),
      entryWith(a.project.id, NOON + 5, { message: "one", level: "debug" }),
    ]);
    assertEquals(outcomes.map((o) => o.kind === "stored" && o.first), [true, false, true, false]);
    const { rows } = await storage.issues(a.orgId, a.project.id, {}, { limit: 9 });
    assertEquals(
      rows.map(({ title, eventCount, firstSeen, lastSeen, level }) => [
        title,
        eventCount,
        firstSeen,
        lastSeen,
        level,
      ]),
      [["one", 3, NOON + 2, NOON + 9, "fatal"], ["two", 1, NOON + 1, NOON + 1, "error"]],
    );
    // One that is late moves neither the level nor the time.
    await storage.writeEvents([entryWith(a.project.id, NOON, { message: "one", level: "info" })]);
    const [issue] = (await storage.issues(a.orgId, a.project.id, {}, { limit: 1 })).rows;
    assertEquals([issue?.level, issue?.firstSeen, issue?.lastSeen], ["fatal", NOON, NOON + 9]);
  });

  promise("moves a resolved issue back when it comes again, and says so once", async (world) => {
    const { storage, a } = world;
    const [first] = await storage.writeEvents([entryWith(a.project.id, NOON)]);
    const id = issueOf(first);
    const resolved = await storage.setIssueStatus(a.orgId, id, "resolved");
    assertEquals([resolved?.issue.status, resolved?.changed], ["resolved", true]);
    assertEquals((await storage.setIssueStatus(a.orgId, id, "resolved"))?.changed, false);
    const outcomes = await storage.writeEvents([
      entryWith(a.project.id, NOON + 1),
      entryWith(a.project.id, NOON + 2),
    ]);
    assertEquals(outcomes, [
      { kind: "stored", issueId: id, first: false, regressed: true },
      { kind: "stored", issueId: id, first: false, regressed: false },
    ]);
    assertEquals((await storage.issue(a.orgId, id))?.status, "unresolved");
    // An archived one stays.
    await storage.setIssueStatus(a.orgId, id, "archived");
    const [later] = await storage.writeEvents([entryWith(a.project.id, NOON + 3)]);
    assertEquals(later, { kind: "stored", issueId: id, first: false, regressed: false });
    assertEquals((await storage.issue(a.orgId, id))?.status, "archived");
    // A duplicate wakes nothing.
    const again = entryWith(a.project.id, NOON + 4);
    await storage.writeEvents([again]);
    await storage.setIssueStatus(a.orgId, id, "resolved");
    assertEquals(kinds(await storage.writeEvents([again])), ["duplicate"]);
    assertEquals((await storage.issue(a.orgId, id))?.status, "resolved");
  });

  promise("drops the events of a discarded issue, until it is not discarded", async (world) => {
    const { storage, a } = world;
    const [first] = await storage.writeEvents([entryWith(a.project.id, NOON)]);
    const id = issueOf(first);
    await storage.setIssueStatus(a.orgId, id, "discarded");
    const dropped = entryWith(a.project.id, NOON + 1);
    assertEquals(await storage.writeEvents([dropped]), [{ kind: "discarded", issueId: id }]);
    assertEquals((await storage.issue(a.orgId, id))?.eventCount, 1);
    assertEquals(await storage.event(a.orgId, dropped.event.id), null);
    await storage.setIssueStatus(a.orgId, id, "unresolved");
    assertEquals(kinds(await storage.writeEvents([dropped])), ["stored"], "its id is not used up");
  });

  promise("assigns issues to members", async ({ storage, a, b }) => {
    const [first] = await storage.writeEvents([entryWith(a.project.id, NOON)]);
    const id = issueOf(first);
    assertEquals(await storage.assignIssue(a.orgId, id, b.owner.id), {
      ok: false,
      reason: "no_member",
    });
    const member = valueOf(await storage.addMember(a.orgId, b.owner.id, "member"));
    assertEquals(
      valueOf(await storage.assignIssue(a.orgId, id, b.owner.id)).assignedTo,
      b.owner.id,
    );
    const assigned = (userId: string | null) =>
      storage.issues(a.orgId, a.project.id, { assignedTo: userId }, { limit: 9 })
        .then(({ rows }) => rows.length);
    assertEquals([await assigned(b.owner.id), await assigned(null), await assigned("x")], [
      1,
      0,
      0,
    ]);
    valueOf(await storage.removeMember(a.orgId, member.id));
    assertEquals((await storage.issue(a.orgId, id))?.assignedTo, null, "who left has no issues");
    assertEquals(await storage.assignIssue(a.orgId, newId(), null), {
      ok: false,
      reason: "no_issue",
    });
  });

  promise("deletes an issue with its events, whose ids are free again", async (world) => {
    const { storage, a } = world;
    const entry = entryWith(a.project.id, NOON);
    const [first] = await storage.writeEvents([entry]);
    assertEquals(await storage.deleteIssue(a.orgId, issueOf(first)), true);
    assertEquals(await storage.deleteIssue(a.orgId, issueOf(first)), false);
    assertEquals(await storage.event(a.orgId, entry.event.id), null);
    const found = await storage.events(a.orgId, a.project.id, { query: "door" }, { limit: 9 });
    assertEquals(found.rows, []);
    await storage.writeEvents([entryWith(a.project.id, NOON, { message: "the window is open" })]);
    const stale = await storage.events(a.orgId, a.project.id, { query: "door" }, { limit: 9 });
    assertEquals(stale.rows, [], "the next event does not inherit its words");
    const [again] = await storage.writeEvents([entry]);
    assert(again?.kind === "stored" && again.first);
    assertNotEquals(again.issueId, issueOf(first));
  });

  promise("deletes a project with all that it has", async ({ storage, a, b }) => {
    const entry = entryWith(a.project.id, NOON);
    await storage.writeEvents([entry, entryWith(b.project.id, NOON)]);
    assertEquals(await storage.deleteProject(b.orgId, a.project.id), false);
    assertEquals(await storage.deleteProject(a.orgId, a.project.id), true);
    assertEquals(await storage.project(a.orgId, "shop"), null);
    assertEquals(await storage.eventCount(a.project.id, 0), 0);
    assertEquals(kinds(await storage.writeEvents([entry])), ["orphan"]);
    assertEquals(await storage.eventCount(b.project.id, 0), 1);
  });

  promise("filters issues", async ({ storage, a }) => {
    const outcomes = await storage.writeEvents([
      entryWith(a.project.id, NOON + 1, { message: "Straße 100% broken", level: "fatal" }),
      entryWith(a.project.id, NOON + 2, { message: "100 percent fine", level: "info" }),
      entryWith(a.project.id, NOON + 3, { message: "under_score" }),
    ]);
    await storage.setIssueStatus(a.orgId, issueOf(outcomes[2]), "archived");
    const titles = async (filter: Parameters<Storage["issues"]>[2]) =>
      (await storage.issues(a.orgId, a.project.id, filter, { limit: 9 })).rows
        .map(({ title }) => title);
    assertEquals(await titles({}), ["under_score", "100 percent fine", "Straße 100% broken"]);
    assertEquals(await titles({ status: "archived" }), ["under_score"]);
    assertEquals(await titles({ level: "fatal" }), ["Straße 100% broken"]);
    assertEquals(await titles({ query: "STRASSE" }), []);
    assertEquals(await titles({ query: "STRAßE" }), ["Straße 100% broken"]);
    assertEquals(await titles({ query: "100%" }), ["Straße 100% broken"], "% is no wildcard");
    assertEquals(await titles({ query: "r_s" }), ["under_score"], "_ is no wildcard");
    assertEquals(await titles({ query: "!" }), []);
    assertEquals(await titles({ query: "fine", status: "archived" }), []);
  });

  promise("searches events by words, tags and columns", async ({ storage, a }) => {
    const write = (message: string, at: number, level: Level, tags: Record<string, string>) =>
      entryWith(a.project.id, at, {
        message,
        level,
        tags,
        environment: level === "info" ? "test" : "production",
        release: "shop@1",
        exceptions: level === "fatal"
          ? [{
            type: "PaymentRefusedError",
            value: "card declined",
            module: null,
            handled: null,
            frames: [],
          }]
          : [],
      });
    await storage.writeEvents([
      write("the red door is shut", NOON + 1, "error", { region: "eu", "a.b $[0]": "it's" }),
      write("the green door is open", NOON + 2, "info", { region: "us" }),
      write("Überall 東京 naïve", NOON + 3, "fatal", { region: "eu", server: "w1" }),
    ]);
    const found = async (filter: Parameters<Storage["events"]>[2]) =>
      (await storage.events(a.orgId, a.project.id, filter, { limit: 9 })).rows
        .map(({ receivedAt }) => receivedAt - NOON);
    assertEquals(await found({}), [3, 2, 1]);
    assertEquals(await found({ query: "DOOR" }), [2, 1]);
    assertEquals(await found({ query: "door red" }), [1]);
    assertEquals(await found({ query: "gre" }), [2], "the last word may be a beginning");
    assertEquals(await found({ query: "gre door" }), [], "the others may not");
    assertEquals(await found({ query: "überall" }), [3]);
    assertEquals(await found({ query: "東京" }), [3]);
    assertEquals(await found({ query: "payment refused" }), [3], "the humps of a type");
    assertEquals(await found({ query: "declined" }), [3]);
    assertEquals(await found({ query: "🎉 --" }), [], "no words");
    assertEquals(await found({ tags: { region: "eu" } }), [3, 1]);
    assertEquals(await found({ tags: { region: "eu", server: "w1" } }), [3]);
    assertEquals(await found({ tags: { "a.b $[0]": "it's" } }), [1]);
    assertEquals(await found({ tags: { region: "%" } }), []);
    assertEquals(await found({ level: "info" }), [2]);
    assertEquals(await found({ environment: "production" }), [3, 1]);
    assertEquals(await found({ release: "shop@1", query: "door", level: "error" }), [1]);
    assertEquals(await found({ since: NOON + 2 }), [3, 2]);
    assertEquals(await found({ before: NOON + 2 }), [1]);
    assertEquals(await found({ issueId: newId() }), []);
    assertEquals(await found({ issueId: "x" }), []);
  });

  promise("keeps any text whole, in every field, and as no part of a statement", async (world) => {
    const { storage, a } = world;
    for (const [i, nasty] of NASTY.entries()) {
      const name = `${nasty} ${i}`;
      const user = valueOf(
        await storage.createUser({ email: name, displayName: nasty, passwordHash: nasty }),
      );
      assertEquals(user.displayName, kept(nasty));
      assertEquals((await storage.credentials(name))?.passwordHash, kept(nasty));
      const org = valueOf(
        await storage.createOrganisation({ name: nasty, slug: name, ownerId: user.id }),
      );
      assertEquals((await storage.organisationOf(user.id, name))?.organisation, org);
      const project = valueOf(
        await storage.createProject({ orgId: org.id, name: nasty, slug: name, platform: nasty }),
      );
      assertEquals(await storage.project(org.id, name), project);
      assertEquals(project.platform, kept(nasty));
      const key = valueOf(
        await storage.createApiKey(org.id, {
          projectId: project.id,
          label: nasty,
          prefix: nasty,
          secretHash: name,
        }),
      );
      assertEquals((await storage.projectByKey(name))?.keyId, key.id);
      assertEquals(key.label, kept(nasty));

      const entry = {
        ...entryWith(project.id, NOON + i, {
          message: nasty,
          environment: nasty,
          release: nasty,
          transaction: nasty,
          tags: { [nasty]: nasty, __proto__x: "1" },
          extra: { [nasty]: [nasty, { deep: nasty }] },
          user: { id: nasty, email: nasty, username: nasty, ip: nasty },
          exceptions: [{ type: nasty, value: nasty, module: nasty, handled: null, frames: [] }],
        }),
        fingerprint: nasty,
        title: nasty,
        culprit: nasty,
      };
      const [outcome] = await storage.writeEvents([entry]);
      const issueId = issueOf(outcome);
      assertEquals(kinds(await storage.writeEvents([entry])), ["duplicate"]);
      const detail = await storage.event(org.id, entry.event.id);
      assertEquals(detail?.event, JSON.parse(keptJson(entry.event)));
      assertEquals(detail?.title, kept(nasty));
      const issue = await storage.issue(org.id, issueId);
      assertEquals([issue?.title, issue?.culprit], [kept(nasty), kept(nasty)]);

      const page = { limit: 9 };
      const seen = async (filter: Parameters<Storage["events"]>[2]) =>
        (await storage.events(org.id, project.id, filter, page)).rows.map(({ id }) => id);
      assertEquals(await seen({ environment: nasty }), [entry.event.id]);
      assertEquals(await seen({ release: nasty }), [entry.event.id]);
      assertEquals(await seen({ tags: { [nasty]: nasty } }), [entry.event.id]);
      assertEquals(await seen({ environment: `${nasty}x` }), []);
      await seen({ query: nasty });
      assertEquals(
        (await storage.issues(org.id, project.id, { query: nasty }, page)).rows.map(({ id }) => id),
        [issueId],
      );
      assertEquals(await storage.tagValues(org.id, project.id, nasty, 0, 9), [
        { value: kept(nasty), count: 1 },
      ]);
      const rule = valueOf(
        await storage.createAlertRule(org.id, {
          projectId: project.id,
          name: nasty,
          condition: { kind: "new_issue" },
          action: { kind: "webhook", url: nasty },
          cooldownMinutes: 0,
        }),
      );
      assertEquals(rule.action, { kind: "webhook", url: kept(nasty) });
      const alert = await storage.fireAlert({
        ruleId: rule.id,
        issueId,
        message: nasty,
        now: NOON,
      });
      assertEquals([alert?.message, alert?.ruleName], [kept(nasty), kept(nasty)]);

      // As an id it names nothing, everywhere.
      assertEquals(await storage.organisationOf(nasty, nasty), null);
      assertEquals(await storage.project(nasty, nasty), null);
      assertEquals(await storage.issue(org.id, nasty), null);
      assertEquals(await storage.event(org.id, nasty), null);
      assertEquals(await storage.setIssueStatus(nasty, nasty, "resolved"), null);
      assertEquals(await storage.deleteIssue(org.id, nasty), false);
      assertEquals(await storage.revokeApiKey(org.id, nasty), false);
      assertEquals(await storage.resolveAlert(org.id, nasty), { ok: false, reason: "no_alert" });
      const after = { at: NOON, id: nasty };
      assertEquals(
        await storage.events(org.id, project.id, {}, { limit: 1, after }),
        { rows: [], next: null },
      );
    }
    assertEquals(await storage.userCount(), 2 + NASTY.length);
    assertEquals((await storage.projects(a.orgId)).length, 1);
  });

  promise("shows nothing of another organisation and changes nothing of it", async (world) => {
    const { storage, a, b } = world;
    const entry = entryWith(b.project.id, NOON, { tags: { region: "eu" } });
    const [outcome] = await storage.writeEvents([entry]);
    const issueId = issueOf(outcome);
    const p = b.project.id;
    const key = valueOf(
      await storage.createApiKey(b.orgId, {
        projectId: p,
        label: "l",
        prefix: "p",
        secretHash: "h",
      }),
    );
    const rule = valueOf(
      await storage.createAlertRule(b.orgId, {
        projectId: p,
        name: "r",
        condition: { kind: "threshold", count: 5, windowMinutes: 5 },
        action: { kind: "websocket" },
        cooldownMinutes: 0,
      }),
    );
    const alert = (await storage.fireAlert({ ruleId: rule.id, issueId, message: "m", now: NOON }))!;
    const [member] = await storage.members(b.orgId);
    const page = { limit: 9 };
    const look = async (org: string) => ({
      project: await storage.project(org, p),
      keys: await storage.apiKeys(org, p),
      issues: (await storage.issues(org, p, {}, page)).rows,
      issue: await storage.issue(org, issueId),
      top: await storage.topIssues(org, p, 0, 9),
      events: (await storage.events(org, p, {}, page)).rows,
      ofIssue: (await storage.issueEvents(org, issueId, page)).rows,
      event: await storage.event(org, entry.event.id),
      volume: await storage.volume(org, p, { since: NOON, until: NOON + 10, bucketMs: 10 }),
      levels: await storage.levelCounts(org, p, 0),
      tagValues: await storage.tagValues(org, p, "region", 0, 9),
      tagKeys: await storage.tagKeys(org, p, 0, 9),
      issueTags: await storage.issueTags(org, issueId, 0, 9),
      health: await storage.projectHealth(org, p, NOON),
      usage: await storage.projectUsage(org, p),
      rules: await storage.alertRules(org, p),
      alerts: (await storage.alerts(org, p, undefined, page)).rows,
    });
    const own = await look(b.orgId);
    for (const [what, value] of Object.entries(own)) {
      assert(value !== null && (!Array.isArray(value) || value.length > 0), `${what} is seen`);
    }
    for (const [what, value] of Object.entries(await look(a.orgId))) {
      assert(value === null || (Array.isArray(value) && value.length === 0), `${what} is hidden`);
    }
    const org = a.orgId;
    assertEquals(await storage.updateProject(org, p, { name: "mine" }), null);
    assertEquals(await storage.deleteProject(org, p), false);
    assertEquals(
      await storage.createApiKey(org, { projectId: p, label: "", prefix: "", secretHash: "z" }),
      { ok: false, reason: "no_project" },
    );
    assertEquals(await storage.revokeApiKey(org, key.id), false);
    assertEquals(await storage.setIssueStatus(org, issueId, "discarded"), null);
    assertEquals(await storage.assignIssue(org, issueId, a.owner.id), {
      ok: false,
      reason: "no_issue",
    });
    assertEquals(await storage.deleteIssue(org, issueId), false);
    assertEquals(
      await storage.createAlertRule(org, {
        projectId: p,
        name: "",
        condition: { kind: "spike" },
        action: { kind: "websocket" },
        cooldownMinutes: 1,
      }),
      { ok: false, reason: "no_project" },
    );
    assertEquals(await storage.setAlertRuleEnabled(org, rule.id, false), null);
    assertEquals(await storage.deleteAlertRule(org, rule.id), false);
    assertEquals(await storage.acknowledgeAlert(org, alert.id), { ok: false, reason: "no_alert" });
    assertEquals(await storage.resolveAlert(org, alert.id), { ok: false, reason: "no_alert" });
    assertEquals(await storage.setRole(org, member!.id, "member"), {
      ok: false,
      reason: "no_member",
    });
    assertEquals(await storage.removeMember(org, member!.id), { ok: false, reason: "no_member" });
    assertEquals(await look(b.orgId), own, "all is as it was");
  });

  promise("pages through a list that grows, each row once", async ({ storage, a }) => {
    // Many of one time: the id decides among them.
    const entries = Array.from(
      { length: 57 },
      (_, i) =>
        entryWith(a.project.id, NOON + Math.floor(i / 10), {
          message: `kind ${"abcdefghi"[i % 9]}`,
        }),
    );
    await storage.writeEvents(entries);
    const seen: string[] = [];
    let after = null;
    do {
      const page = await storage.events(a.orgId, a.project.id, {}, { limit: 10, after });
      seen.push(...page.rows.map(({ id }) => id));
      after = page.next;
      await storage.writeEvents([entryWith(a.project.id, NOON + 1000 + seen.length)]);
    } while (after !== null);
    const order = [...entries].sort((x, y) =>
      y.receivedAt - x.receivedAt || (x.event.id < y.event.id ? 1 : -1)
    );
    assertEquals(seen, order.map(({ event }) => event.id));

    const [latest] = (await storage.events(a.orgId, a.project.id, {}, { limit: 1 })).rows;
    const page = await storage.issueEvents(a.orgId, latest!.issueId, { limit: 100 });
    assertEquals(page.rows.length, 6);
    assertEquals(page.next, null, "the end is known without another look");
    assertEquals((await storage.events(a.orgId, a.project.id, {}, { limit: 1e9 })).rows.length, 63);

    const issues: string[] = [];
    after = null;
    do {
      const page = await storage.issues(a.orgId, a.project.id, {}, { limit: 3, after });
      issues.push(...page.rows.map(({ id }) => id));
      after = page.next;
    } while (after !== null);
    assertEquals([issues.length, new Set(issues).size], [10, 10]);
  });

  promise("leads from an event to the one before and after it", async ({ storage, a }) => {
    const entries = [0, 0, DAY_MS].map((ms) => entryWith(a.project.id, NOON + ms));
    await storage.writeEvents([...entries, entryWith(a.project.id, NOON, { message: "other" })]);
    const ids = entries.map(({ event }) => event.id);
    const order = [...ids.slice(0, 2).sort(), ids[2]!];
    const seen = await Promise.all(order.map((id) => storage.event(a.orgId, id)));
    assertEquals(seen.map((e) => [e?.previousId, e?.nextId]), [
      [null, order[1]!],
      [order[0]!, order[2]!],
      [order[1]!, null],
    ]);
  });

  promise("counts for the dashboard", async ({ storage, a }) => {
    const at = NOON - HOUR_MS;
    const write = (ms: number, level: Level, message: string, tags: Record<string, string>) =>
      entryWith(a.project.id, at + ms, { level, message, tags });
    const outcomes = await storage.writeEvents([
      write(0, "error", "one", { region: "eu", server: "w1" }),
      write(9, "error", "one", { region: "us" }),
      write(10, "fatal", "two", { region: "eu" }),
      write(35, "error", "one", {}),
      entryWith(a.project.id, at - 2 * DAY_MS, { message: "old", tags: { region: "eu" } }),
    ]);
    const [org, p] = [a.orgId, a.project.id];
    assertEquals(
      await storage.volume(org, p, { since: at, until: at + 40, bucketMs: 10 }),
      [2, 1, 0, 1].map((count, i) => ({ at: at + i * 10, count })),
    );
    assertEquals(await storage.levelCounts(org, p, at), [
      { value: "error", count: 3 },
      { value: "fatal", count: 1 },
    ]);
    assertEquals(await storage.tagValues(org, p, "region", at, 9), [
      { value: "eu", count: 2 },
      { value: "us", count: 1 },
    ]);
    assertEquals((await storage.tagValues(org, p, "region", at, 1)).length, 1);
    assertEquals(await storage.tagKeys(org, p, at, 9), [
      { value: "region", count: 3 },
      { value: "server", count: 1 },
    ]);
    assertEquals(await storage.issueTags(org, issueOf(outcomes[0]), at, 9), [
      { key: "region", values: [{ value: "eu", count: 1 }, { value: "us", count: 1 }] },
      { key: "server", values: [{ value: "w1", count: 1 }] },
    ]);
    const top = await storage.topIssues(org, p, at, 9);
    assertEquals(top.map(({ title, recent }) => [title, recent]), [["one", 3], ["two", 1]]);
    await storage.setIssueStatus(org, issueOf(outcomes[0]), "resolved");
    assertEquals((await storage.topIssues(org, p, at, 9)).length, 1);
    assertEquals(await storage.projectHealth(org, p, NOON), {
      unresolvedIssues: 2,
      events24h: 4,
      newIssues24h: 2,
    });
    const usage = await storage.projectUsage(org, p);
    assertEquals([usage?.events, usage?.issues, usage?.oldestAt], [5, 3, at - 2 * DAY_MS]);
    assert(usage!.bytes > 5 * 100 && usage!.bytes < 5 * 5000, `${usage!.bytes} bytes`);
    assertEquals(await storage.eventCount(p, at + 10), 2);
    assertEquals(await storage.unresolvedCount(p), 2);
  });

  promise("knows which archived issues came, for the spike rule", async ({ storage, a }) => {
    const hours = [0.5, 0.9, 1.5, 30, 24 * 7 + 0.5, 24 * 7 + 2];
    const outcomes = await storage.writeEvents([
      ...hours.map((h) => entryWith(a.project.id, NOON - h * HOUR_MS, { message: "one" })),
      entryWith(a.project.id, NOON - HOUR_MS / 2, { message: "two" }),
    ]);
    const id = issueOf(outcomes[0]);
    assertEquals(await storage.spikeCandidates(NOON), []);
    await storage.setIssueStatus(a.orgId, id, "archived");
    assertEquals(await storage.spikeCandidates(NOON), [{
      issueId: id,
      projectId: a.project.id,
      title: "one",
      lastHour: 2,
      weekBefore: 3,
    }]);
    assertEquals(await storage.spikeCandidates(NOON + HOUR_MS), []);
    assertEquals(await storage.unarchive(id), true);
    assertEquals(await storage.unarchive(id), false);
    assertEquals((await storage.issue(a.orgId, id))?.status, "unresolved");
  });

  promise("fires a rule once in its cooldown, whoever asks at once", async (world) => {
    const { storage, a } = world;
    const rule = valueOf(
      await storage.createAlertRule(a.orgId, {
        projectId: a.project.id,
        name: "many",
        condition: { kind: "threshold", count: 100, windowMinutes: 5 },
        action: { kind: "websocket" },
        cooldownMinutes: 10,
      }),
    );
    assertEquals(await storage.alertRules(a.orgId, a.project.id), [rule]);
    const fire = (now: number) =>
      storage.fireAlert({ ruleId: rule.id, issueId: null, message: "m", now });
    const fired = await Promise.all(Array.from({ length: 8 }, () => fire(NOON)));
    assertEquals(fired.filter((alert) => alert !== null).length, 1);
    assertEquals(await fire(NOON + 10 * 60_000 - 1), null);
    assertNotEquals(await fire(NOON + 10 * 60_000), null);
    const disabled = await storage.setAlertRuleEnabled(a.orgId, rule.id, false);
    assertEquals([disabled?.enabled, disabled?.lastFiredAt], [false, NOON + 10 * 60_000]);
    assertEquals(await fire(NOON + DAY_MS), null);
    assertEquals(await storage.enabledAlertRules(), []);
    await storage.setAlertRuleEnabled(a.orgId, rule.id, true);
    assertEquals((await storage.enabledAlertRules()).map(({ id }) => id), [rule.id]);
    assertEquals((await storage.enabledAlertRules(a.project.id)).length, 1);
    assertEquals(await storage.enabledAlertRules(newId()), []);
    assertEquals(
      await storage.fireAlert({ ruleId: newId(), issueId: null, message: "", now: 1 }),
      null,
    );

    const first = await storage.alerts(a.orgId, a.project.id, undefined, { limit: 1 });
    const second = await storage.alerts(a.orgId, a.project.id, undefined, {
      limit: 1,
      after: first.next,
    });
    const times = [...first.rows, ...second.rows].map(({ triggeredAt }) => triggeredAt);
    assertEquals(times, [NOON + 10 * 60_000, NOON]);
    assertEquals(second.next, null);
    assertEquals(await storage.deleteAlertRule(a.orgId, rule.id), true);
    const left = await storage.alerts(a.orgId, a.project.id, undefined, { limit: 9 });
    assertEquals(left.rows, []);
  });

  promise("moves alerts through their states", async ({ storage, a, clock }) => {
    const rule = valueOf(
      await storage.createAlertRule(a.orgId, {
        projectId: a.project.id,
        name: "new",
        condition: { kind: "new_issue" },
        action: { kind: "webhook", url: "https://example.org/" },
        cooldownMinutes: 0,
      }),
    );
    const fire = async (now: number) =>
      (await storage.fireAlert({ ruleId: rule.id, issueId: null, message: "m", now }))!;
    const [one, two] = [await fire(NOON), await fire(NOON + 1)];
    assertEquals([one.status, one.condition], ["active", { kind: "new_issue" }]);
    clock.now = NOON + 60;
    const acknowledged = valueOf(await storage.acknowledgeAlert(a.orgId, one.id));
    assertEquals([acknowledged.status, acknowledged.acknowledgedAt], ["acknowledged", NOON + 60]);
    assertEquals(await storage.acknowledgeAlert(a.orgId, one.id), {
      ok: false,
      reason: "wrong_state",
    });
    clock.now = NOON + 70;
    const resolved = valueOf(await storage.resolveAlert(a.orgId, one.id));
    assertEquals([resolved.status, resolved.resolvedAt], ["resolved", NOON + 70]);
    assertEquals(valueOf(await storage.resolveAlert(a.orgId, two.id)).acknowledgedAt, null);
    assertEquals(await storage.resolveAlert(a.orgId, two.id), { ok: false, reason: "wrong_state" });
    const active = await storage.alerts(a.orgId, a.project.id, "active", { limit: 9 });
    assertEquals(active.rows, []);
  });

  promise("deletes what is older than its project keeps, and nothing else", async (world) => {
    const { storage, a, b, clock } = world;
    await storage.updateProject(a.orgId, a.project.id, { retentionDays: 3 });
    await storage.updateProject(b.orgId, b.project.id, { retentionDays: 10 });
    const days = [20, 11, 5, 3.01, 2.99, 0];
    const entries = [a, b].flatMap(({ project }) =>
      days.map((d) => entryWith(project.id, NOON - d * DAY_MS, { tags: { day: `${d}` } }))
    );
    await storage.writeEvents(entries);
    for (const [secretHash, expiresAt] of [["s1", NOON], ["s2", NOON + 1]] as const) {
      await storage.createSession({
        userId: a.owner.id,
        kind: "session",
        label: "",
        secretHash,
        expiresAt,
      });
    }
    clock.now = NOON - 1;
    const report = await storage.upkeep(NOON);
    assertEquals([report.eventsDeleted, report.sessionsDeleted], [4 + 2, 1]);
    const left = async ({ orgId, project }: Party) =>
      (await storage.events(orgId, project.id, {}, { limit: 9 })).rows.map((e) => e.tags["day"]);
    assertEquals(await left(a), ["0", "2.99"]);
    assertEquals(await left(b), ["0", "2.99", "3.01", "5"]);
    assertEquals(await storage.event(a.orgId, entries[0]!.event.id), null);
    const found = await storage.events(a.orgId, a.project.id, { query: "door" }, { limit: 9 });
    assertEquals(found.rows.length, 2, "their words are gone too");
    const [issue] = (await storage.issues(a.orgId, a.project.id, {}, { limit: 1 })).rows;
    assertEquals(issue?.eventCount, 6, "what was counted stays counted");
    const again = await storage.upkeep(NOON);
    assertEquals([again.eventsDeleted, again.sessionsDeleted], [0, 0]);
    // What is gone may come again: its id is free, its day is made anew.
    assertEquals(kinds(await storage.writeEvents([entries[0]!])), ["stored"]);
    // Two nodes at once delete it once.
    const both = await Promise.all([storage.upkeep(NOON), storage.upkeep(NOON)]);
    assertEquals(both[0].eventsDeleted + both[1].eventsDeleted, 1);
  });

  if (engine.shared) {
    promise("lets two processes write the same at once, and stores it once", async (world) => {
      const { storage, opened, a } = world;
      const other = await opened.open();
      try {
        const batches = Array.from(
          { length: 12 },
          (_, n) =>
            Array.from(
              { length: 40 },
              (_, i) =>
                entryWith(a.project.id, NOON + i, {
                  message: `kind ${"abcdefgh"[(n * 3 + i) % 8]}`,
                }),
            ),
        );
        // Each batch by both, in opposite orders of rows and of batches.
        const write = (storage: Storage, batch: typeof batches[number]) =>
          storage.writeEvents(batch);
        const outcomes = await Promise.all([
          ...batches.map((batch) => write(storage, batch)),
          ...batches.toReversed().map((batch) => write(other, batch.toReversed())),
        ]);
        const all = outcomes.flat();
        assertEquals(all.filter(({ kind }) => kind === "stored").length, 480);
        assertEquals(all.filter(({ kind }) => kind === "duplicate").length, 480);
        assertEquals(all.filter((o) => o.kind === "stored" && o.first).length, 8);
        const { rows } = await storage.issues(a.orgId, a.project.id, {}, { limit: 100 });
        assertEquals(rows.length, 8);
        assertEquals(rows.reduce((sum, { eventCount }) => sum + eventCount, 0), 480);
        assertEquals(await other.eventCount(a.project.id, 0), 480);

        // A regression is told by one of them.
        for (const { id } of rows) await storage.setIssueStatus(a.orgId, id, "resolved");
        const nodes = Array.from({ length: 12 }, (_, i) => i % 2 ? storage : other);
        const more = await Promise.all(nodes.map((node) =>
          node.writeEvents(
            Array.from("abcdefgh", (c) =>
              entryWith(a.project.id, NOON + 100, { message: `kind ${c}` })),
          )
        ));
        const told = more.flat().filter((o) => o.kind === "stored" && o.regressed);
        assertEquals(told.length, 8);
      } finally {
        await other.close();
      }
    });
  }

  promise("survives a deletion in the middle of writing", async ({ storage, a }) => {
    const write = async () => {
      for (let i = 0; i < 15; i++) {
        const outcomes = await storage.writeEvents(
          Array.from(
            { length: 10 },
            (_, n) => entryWith(a.project.id, NOON + i, { message: `kind ${"abc"[n % 3]}` }),
          ),
        );
        assertEquals(new Set(kinds(outcomes)), new Set(["stored"]));
      }
    };
    const remove = async () => {
      for (let i = 0; i < 15; i++) {
        const { rows } = await storage.issues(a.orgId, a.project.id, {}, { limit: 9 });
        for (const { id } of rows) await storage.deleteIssue(a.orgId, id);
      }
    };
    await Promise.all([write(), write(), remove()]);
    const { rows } = await storage.issues(a.orgId, a.project.id, {}, { limit: 9 });
    const counted = rows.reduce((sum, { eventCount }) => sum + eventCount, 0);
    assertEquals(counted, await storage.eventCount(a.project.id, 0), "no event without its issue");
  });

  if (engine.shared) {
    promise("keeps what it has when it is opened again", async ({ storage, opened, a }) => {
      const entry = entryWith(a.project.id, NOON);
      await storage.writeEvents([entry]);
      const [one, two] = await Promise.all([opened.open(), opened.open()]);
      assertEquals((await one.event(a.orgId, entry.event.id))?.event, entry.event);
      assertEquals((await two.health()).ok, true);
      await one.close();
      await two.close();
    });
  }

  promise("says how it is, and rejects when it is closed", async ({ storage, opened, a }) => {
    const health = await storage.health();
    assertEquals([health.ok, health.problem], [true, null]);
    assert(health.schema >= 1);
    const other = await opened.open();
    await other.close();
    await other.close();
    await assertRejects(() => other.project(a.orgId, "shop"), StorageError, "closed");
    await assertRejects(() => other.writeEvents([entryWith(a.project.id, NOON)]), StorageError);
    assertEquals((await other.health()).ok, false);
  });

  promise("writes ten thousand events", async ({ storage, a }) => {
    for (const size of [50, 500]) {
      const entries = Array.from(
        { length: 10_000 },
        (_, i) => realisticEntry(a.project.id, NOON + i, i),
      );
      const times: number[] = [];
      const began = performance.now();
      for (let i = 0; i < entries.length; i += size) {
        const batchBegan = performance.now();
        await storage.writeEvents(entries.slice(i, i + size));
        times.push(performance.now() - batchBegan);
      }
      const perSecond = Math.round(10_000_000 / (performance.now() - began));
      times.sort((x, y) => x - y);
      const p99 = times[Math.floor(times.length * 0.99)]!;
      console.log(
        `storage_test: ${engine.name}, batches of ${size}: ${perSecond} events/s, ` +
          `p99 ${p99.toFixed(1)} ms`,
      );
    }
    assertEquals(await storage.eventCount(a.project.id, 0), 20_000);
    const { rows } = await storage.issues(a.orgId, a.project.id, {}, { limit: 100 });
    assertEquals(rows.reduce((sum, { eventCount }) => sum + eventCount, 0), 20_000);
  });
}

/** JSON of a value with every text in it as it comes back. */
function keptJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner) => {
    if (typeof inner === "string") return kept(inner);
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).map(([key, entry]) => [kept(key), entry]));
  });
}
