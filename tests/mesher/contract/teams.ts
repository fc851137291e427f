/** Tests the storage contract for invitations, password resets, scopes of tokens and counters. */
import { assertEquals } from "@std/assert";
import { newId } from "../../../mesher/domain/id.ts";
import { DAY_MS, HOUR_MS, NOON, type Promised, valueOf } from "./world.ts";

/** Declares the tests of invitations, resets, scopes and counters. */
export function teamsContract(promise: Promised): void {
  promise(
    "adds the user who accepts an invitation as a member, once",
    async ({ storage, a, b }) => {
      const invite = async (secretHash: string, email: string) =>
        valueOf(
          await storage.createInvitation({
            orgId: a.orgId,
            email,
            role: "admin",
            secretHash,
            expiresAt: NOON + HOUR_MS,
          }),
        );
      const first = await invite("i1", "bert@example.org");
      assertEquals(first, {
        id: first.id,
        orgId: a.orgId,
        orgName: "anna",
        email: "bert@example.org",
        role: "admin",
        createdAt: NOON,
        expiresAt: NOON + HOUR_MS,
      });
      // A second invitation to the same address replaces the first.
      const invitation = await invite("i2", "Bert@Example.org");
      assertEquals(await storage.invitationBySecret("i1"), null);
      assertEquals(await storage.invitations(a.orgId), [invitation]);
      assertEquals(await storage.invitations(b.orgId), []);
      assertEquals(await storage.acceptInvitation("i1", b.owner.id), {
        ok: false,
        reason: "no_invitation",
      });
      assertEquals(await storage.acceptInvitation("i2", newId()), { ok: false, reason: "no_user" });
      assertEquals(await storage.acceptInvitation("i2", b.owner.id), {
        ok: true,
        value: invitation,
      });
      assertEquals((await storage.organisationOf(b.owner.id, a.orgId))?.role, "admin");
      assertEquals((await storage.acceptInvitation("i2", a.owner.id)).ok, false);
      await invite("i3", "bert@example.org");
      assertEquals(await storage.acceptInvitation("i3", b.owner.id), {
        ok: false,
        reason: "already_member",
      });
    },
  );

  promise("removes invitations that expire or are withdrawn", async ({ storage, a, b, clock }) => {
    const input = { orgId: a.orgId, email: "x@y.z", role: "member", expiresAt: NOON + 1 } as const;
    const made = valueOf(await storage.createInvitation({ ...input, secretHash: "i" }));
    assertEquals(await storage.deleteInvitation(b.orgId, made.id), false);
    assertEquals(await storage.deleteInvitation(a.orgId, made.id), true);
    assertEquals(await storage.invitationBySecret("i"), null);
    await storage.createInvitation({ ...input, secretHash: "j" });
    clock.now = NOON + 1;
    assertEquals(await storage.invitationBySecret("j"), null);
    assertEquals(await storage.invitations(a.orgId), []);
    assertEquals((await storage.acceptInvitation("j", b.owner.id)).ok, false);
    await storage.upkeep(NOON + 1);
    assertEquals(
      (await storage.createInvitation({ ...input, orgId: newId(), secretHash: "k" })).ok,
      false,
    );
  });

  promise(
    "accepts a password reset once, until it expires or the password changes",
    async (world) => {
      const { storage, a, clock } = world;
      const reset = (secretHash: string) =>
        storage.createReset({ userId: a.owner.id, secretHash, expiresAt: NOON + HOUR_MS });
      await reset("r1");
      await reset("r2");
      assertEquals(await storage.takeReset("r1"), null);
      assertEquals(await storage.takeReset("r2"), a.owner.id);
      assertEquals(await storage.takeReset("r2"), null);
      await reset("r3");
      await storage.setPassword(a.owner.id, "other");
      assertEquals(await storage.takeReset("r3"), null);
      await reset("r4");
      clock.now = NOON + HOUR_MS;
      assertEquals(await storage.takeReset("r4"), null);
    },
  );

  promise("stores the scopes of a token", async ({ storage, a }) => {
    const input = { userId: a.owner.id, kind: "token", label: "l", expiresAt: NOON + 1 } as const;
    const made = valueOf(
      await storage.createSession({ ...input, secretHash: "t", scopes: ["read", "releases"] }),
    );
    assertEquals(made.scopes, ["read", "releases"]);
    assertEquals((await storage.sessionBySecret("t"))?.session.scopes, ["read", "releases"]);
    const all = valueOf(await storage.createSession({ ...input, secretHash: "u" }));
    assertEquals(all.scopes, null);
  });

  promise(
    "returns the sums of the counters of all runs, including those that ended long ago",
    async (world) => {
      const { storage, clock } = world;
      await storage.saveTotals("a 1", { stored: 5, accepted: 6 });
      await storage.saveTotals("a 1", { stored: 7, accepted: 8 });
      await storage.saveTotals("b 1", { stored: 10, "rejected/too_large": 2 });
      const sums = { accepted: 8, stored: 17, "rejected/too_large": 2 };
      assertEquals(await storage.totals([]), sums);
      assertEquals(await storage.totals(["b 1"]), { accepted: 8, stored: 7 });
      clock.now = NOON + 2 * DAY_MS;
      await storage.saveTotals("c 1", { stored: 100 });
      await storage.upkeep(clock.now);
      assertEquals(await storage.totals(["a 1", "b 1"]), { ...sums, stored: 117 });
      clock.now = NOON + 4 * DAY_MS;
      await storage.upkeep(clock.now);
      assertEquals(await storage.totals([]), { ...sums, stored: 117 });
    },
  );
}
