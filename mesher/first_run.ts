/**
 * The first start: creates an organisation, an account, a project and its key. The database stores
 * only a hash of the password, so `keep` receives the secrets before anything is created.
 *
 * @module
 */
import { hashPassword, type PasswordCost } from "./domain/password.ts";
import { newSecret } from "./domain/secret.ts";
import type { Result } from "./storage/result.ts";
import type { Storage } from "./storage/storage.ts";

/** The first organisation, project and login. */
export interface FirstRun {
  readonly email: string;
  readonly password: string;
  readonly key: string;
  readonly organisationId: string;
  readonly projectId: string;
}

/** The address of the first user. */
export const FIRST_EMAIL = "admin@mesher.local";

/** Stores the secrets, and returns a function that removes them again. */
export type KeepSecrets = (secrets: Pick<FirstRun, "email" | "password" | "key">) => () => void;

/**
 * Creates the first organisation, project and login, or returns null if there is an account
 * already. Rejects if the secrets cannot be stored.
 */
export async function firstRun(
  storage: Storage,
  cost: PasswordCost,
  keep: KeepSecrets = () => () => {},
): Promise<FirstRun | null> {
  if (await storage.userCount() > 0) return null;
  const password = newPassword();
  const passwordHash = await hashPassword(password, cost);
  const { secret, hash, prefix } = newSecret("key");
  const forget = keep({ email: FIRST_EMAIL, password, key: secret });
  const user = await storage.createUser({
    email: FIRST_EMAIL,
    displayName: "Admin",
    passwordHash,
    isOperator: true,
  });
  // Another node has created the account first.
  if (!user.ok) {
    forget();
    return null;
  }
  const organisation = must(
    await storage.createOrganisation({ name: "Default", slug: "default", ownerId: user.value.id }),
  );
  const project = must(
    await storage.createProject({
      orgId: organisation.id,
      name: "Default",
      slug: "default",
      platform: null,
    }),
  );
  must(
    await storage.createApiKey(organisation.id, {
      projectId: project.id,
      label: "default",
      prefix,
      secret,
      secretHash: hash,
    }),
  );
  return {
    email: FIRST_EMAIL,
    password,
    key: secret,
    organisationId: organisation.id,
    projectId: project.id,
  };
}

/**
 * Returns a password that is easy to type: five groups of letters and digits, without characters
 * that look alike.
 */
export function newPassword(): string {
  const dice = crypto.getRandomValues(new Uint8Array(15));
  const alphabet = "abcdefghjkmnpqrstuvwxyz23456789";
  const letters = Array.from(dice, (byte) => alphabet[byte % alphabet.length]!).join("");
  return letters.match(/.{3}/g)!.join("-");
}

function must<T>(result: Result<T, string>): T {
  if (result.ok) return result.value;
  throw new Error(`the first start failed: ${result.reason}`);
}
