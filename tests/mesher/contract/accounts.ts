/** Tests the storage contract for users, sessions, organisations and members. */
import { assertEquals } from "@std/assert";
import { newId } from "../../../mesher/domain/id.ts";
import { NOON, type Promised, valueOf } from "./world.ts";

/** Declares the tests of users, sessions, organisations and members. */
export function accountsContract(promise: Promised): void {
  promise("finds users by their address in upper or lower case", async ({ storage, a }) => {
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

  promise("ends a user's sessions when the password changes, but not the tokens", async (world) => {
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

  promise("ends only sessions of the same user", async ({ storage, a, b }) => {
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

  promise("keeps at least one owner in every organisation", async ({ storage, a, b }) => {
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
    // Of two concurrent removals, one must fail, so that an owner remains.
    const left = await Promise.all([
      storage.removeMember(a.orgId, owner!.id),
      storage.removeMember(a.orgId, second.id),
    ]);
    assertEquals(left.filter(({ ok }) => ok).length, 1);
    assertEquals((await storage.members(a.orgId)).map(({ role }) => role), ["owner"]);
  });
}
