/**
 * Parses seeds. A seed has one of these forms:
 *
 * | seed                              | means |
 * |-----------------------------------|-------|
 * | `alpha@10.0.0.7:9000`             | the node of that name |
 * | `*@10.0.0.7:9000`                 | the node at that address, whatever its name |
 * | `*@firn.default.svc:9000`         | the nodes at all addresses of that DNS name (A and AAAA) |
 * | `*@_firn._tcp.firn.default.svc`   | the nodes at all targets of that DNS service (SRV), with their ports |
 * | `file:/etc/firn/seeds`            | the seeds in that file: one a line, `#` begins a comment |
 *
 * @module
 */
import { isIP } from "node:net";
import { formatName, NodeNameError, normalName, parseName } from "./name.ts";

/** A parsed seed. */
export type Seed =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "address"; readonly hostname: string; readonly port: number }
  | { readonly kind: "dns"; readonly hostname: string; readonly port: number }
  | { readonly kind: "service"; readonly service: string }
  | { readonly kind: "file"; readonly path: string };

/** A function that returns the current seeds, for sources other than files and DNS. */
export type SeedFunction = () => readonly string[] | Promise<readonly string[]>;

const ANY_NAME = "*@";
const FILE_SCHEME = "file:";

/** Parses a seed. Throws {@linkcode NodeNameError} if the text is not a valid seed. */
export function parseSeed(text: string): Seed {
  if (text.startsWith(FILE_SCHEME)) {
    const path = text.slice(FILE_SCHEME.length).replace(/^\/\/(?=\/)/, "");
    if (path !== "") return { kind: "file", path };
  } else if (!text.startsWith(ANY_NAME)) return { kind: "name", name: normalName(text) };
  const address = text.slice(ANY_NAME.length);
  if (/^_[a-z0-9-]+\._(tcp|udp)\.[a-z0-9._-]+$/i.test(address)) {
    return { kind: "service", service: address };
  }
  const parts = address.startsWith("_") ? undefined : parseName(`any@${address}`);
  if (parts === undefined || parts.port === 0) {
    throw new NodeNameError(
      `not a seed: ${
        JSON.stringify(text)
      }; write name@host:port, *@host:port, *@_service._tcp.host or file:/path`,
    );
  }
  const { hostname, port } = parts;
  return { kind: isIP(hostname) === 0 ? "dns" : "address", hostname, port };
}

/** Returns the seeds in the text of a file. */
export function seedsOfText(text: string): string[] {
  return text.split("\n").map((line) => line.replace(/#.*/, "").trim()).filter((line) =>
    line !== ""
  );
}

/** Returns an address as a map key: `host:port`. */
export function addressKey(hostname: string, port: number): string {
  return formatName({ short: "any", hostname, port }).slice("any@".length);
}
