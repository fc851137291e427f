/**
 * Parses and formats node names: `name@host:port`, where `host:port` is what other nodes dial.
 *
 *     alpha@10.0.0.7:9000      beta@node2.example:9001      gamma@[fd00::7]:9000
 *
 * A name identifies a node, so each node has one normalised name, with the host in lower case and
 * always with a port (9000 by default). The parts are validated strictly, because peers send names
 * too, and names are used in certificates, logs and pages.
 *
 * @module
 */

/** The port of a name without a port. */
const DEFAULT_PORT = 9000;

/** Maximum length of a name, in characters, which are all ASCII. */
export const NAME_LENGTH_MAX = 255;

const PATTERN =
  /^(?<short>[A-Za-z0-9_.-]{1,64})@(?<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,180})(?::(?<port>\d{1,5}))?$/;

/** The parts of a node name. */
export interface NodeName {
  /** The part before the `@`. */
  readonly short: string;
  /** A host name or address, without brackets. */
  readonly hostname: string;
  readonly port: number;
}

/**
 * The error for a name that is not of the form `name@host:port`.
 *
 * @example
 * ```ts
 * import { Node } from "@firn/firn";
 * import { NodeNameError } from "@firn/firn/node";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => Node.start({ name: "no host" }), NodeNameError);
 * ```
 */
export class NodeNameError extends Error {
  /** The name of the class. */
  override readonly name = "NodeNameError";
  /** Stable code: `"badname"`. */
  readonly code = "badname";
}

/** Returns the parts of a name, or `undefined` if it is invalid. */
export function parseName(text: string): NodeName | undefined {
  const groups = text.length <= NAME_LENGTH_MAX ? PATTERN.exec(text)?.groups : undefined;
  if (groups === undefined) return undefined;
  const port = Number(groups["port"] ?? DEFAULT_PORT);
  if (port > 65535) return undefined;
  const hostname = groups["host"]!.toLowerCase().replace(/^\[|\]$/g, "");
  return { short: groups["short"]!, hostname, port };
}

/** Returns the normalised form of a name. */
export function formatName({ short, hostname, port }: NodeName): string {
  return `${short}@${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** Returns the host and port of a normalised name. */
export function addressOf(name: string): string {
  return name.slice(name.indexOf("@") + 1);
}

/** Normalises a name that a user wrote. Throws {@linkcode NodeNameError} if it is invalid. */
export function normalName(text: string): string {
  const name = parseName(text);
  if (name !== undefined) return formatName(name);
  throw new NodeNameError(`not a node name: ${JSON.stringify(text)}; ${adviceOn(text)}`);
}

/** Returns advice on correcting an invalid name. */
function adviceOn(text: string): string {
  const form = "write name@host:port, such as alpha@127.0.0.1:9000";
  const port = /:(\d+)$/.exec(text)?.[1];
  if (port !== undefined && Number(port) > 65535) return `its port is ${port}: use 0 to 65535`;
  const withName = `node@${text}`;
  if (!text.includes("@") && port !== undefined && parseName(withName) !== undefined) {
    return `${form}; with a name it is ${withName}`;
  }
  const short = text.slice(0, text.indexOf("@"));
  if (text.includes("@") && !/^[A-Za-z0-9_.-]{1,64}$/.test(short)) {
    return `${form}; before the @ are 1 to 64 letters, digits, ".", "_" or "-"`;
  }
  return form;
}

/** Returns whether a name is valid and in its normalised form. */
export function isNormalName(text: string): boolean {
  const name = parseName(text);
  return name !== undefined && formatName(name) === text;
}

/** Returns whether only this machine can reach the address. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname);
}
