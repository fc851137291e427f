/** Finds the programs of servers that tests start, and completes configurations of nginx. */
import { existsSync } from "node:fs";
import process from "node:process";
import { findProgram } from "../../scripts/cluster/runtimes.ts";

/** Returns the path of a server's program, on the PATH or where Debian installs it. */
export function findServer(name: string): string | undefined {
  return findProgram(name) ??
    ["/usr/sbin/", "/usr/bin/"].map((folder) => folder + name).find(existsSync);
}

/**
 * Returns a configuration of nginx with this content of its section `http`. nginx then stays in the
 * foreground, and writes only to `folder`.
 */
export function nginxConfig(folder: string, http: string): string {
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((each) => `${each}_temp_path ${folder}/${each};`).join("\n");
  return `${user} pid ${folder}/pid; daemon off; error_log ${folder}/error.log; events {}
http {
${temporary}
access_log off;
${http}
}`;
}
