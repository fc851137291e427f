/**
 * The npm packages of the peers, which are installed into a temporary folder, outside of the
 * repository.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { isTiny } from "../kit.ts";

/** Time in milliseconds within which packages must be installed. */
const INSTALL_MS_MAX = 120_000;

/** Creates a temporary folder that is removed when this process exits. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `firn-${name}-`));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => process.exit(130));
  }
  return folder;
}

/**
 * Installs packages such as "ws@8". Returns those that were installed: a package that cannot be
 * installed does not affect the others. At the tiny size, installs none.
 */
export function install(folder: string, packages: readonly string[]): readonly string[] {
  if (isTiny()) return [];
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  return add(packages) ? packages : packages.filter((one) => add([one]));

  function add(names: readonly string[]): boolean {
    const args = ["install", "--no-audit", "--no-fund", "--silent", ...names];
    try {
      execFileSync("npm", args, { cwd: folder, stdio: "ignore", timeout: INSTALL_MS_MAX });
      return true;
    } catch {
      return false;
    }
  }
}
