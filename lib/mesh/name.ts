/**
 * Node names: `name@host:port`, where `host:port` is what other nodes dial.
 *
 *     alpha@10.0.0.7:9000      beta@node2.example:9001      gamma@[fd00::7]:9000
 *
 * A name is a node's identity, so each node has one spelling: the host in lower case and the port
 * always written (9000 where it was left out). The parts are checked strictly: names come from
 * peers too, and end up in certificates, logs and pages.
 *
 * @module
 */

/** The port of a name that does not say one. */
const DEFAULT_PORT = 9000;

/** The longest name, in characters. All of them are ASCII, so also in bytes. */
export const NAME_LENGTH_MAX = 255;

const PATTERN =
  /^(?<short>[A-Za-z0-9_.-]{1,64})@(?<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,180})(?::(?<port>\d{1,5}))?$/;

/** A node's name in parts. */
export interface NodeName {
  /** What stands before the `@`. */
  readonly short: string;
  /** A host name or address, without brackets. */
  readonly hostname: string;
  readonly port: number;
}

/** A name that is not of the form `name@host:port`. */
export class NodeNameError extends Error {
  /** Tells the class of the error. */
  override readonly name = "NodeNameError";
  /** Stable code: `"badname"`. */
  readonly code = "badname";
}

/** The parts of a name, or `undefined` if it is not one. */
export function parseName(text: string): NodeName | undefined {
  const groups = text.length <= NAME_LENGTH_MAX ? PATTERN.exec(text)?.groups : undefined;
  if (groups === undefined) return undefined;
  const port = Number(groups["port"] ?? DEFAULT_PORT);
  if (port > 65535) return undefined;
  const hostname = groups["host"]!.toLowerCase().replace(/^\[|\]$/g, "");
  return { short: groups["short"]!, hostname, port };
}

/** The one spelling of a name. */
export function formatName({ short, hostname, port }: NodeName): string {
  return `${short}@${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** The address in a name that is in its one spelling: host and port. */
export function addressOf(name: string): string {
  return name.slice(name.indexOf("@") + 1);
}

/** The one spelling of what a person typed; throws {@linkcode NodeNameError} if it is no name. */
export function normalName(text: string): string {
  const name = parseName(text);
  if (name !== undefined) return formatName(name);
  throw new NodeNameError(`not a node name: ${JSON.stringify(text)}; ${adviceOn(text)}`);
}

/** What to write in place of a text that is no name. */
function adviceOn(text: string): string {
  const form = "write name@host:port, such as alpha@127.0.0.1:9000";
  const port = /:(\d+)$/.exec(text)?.[1];
  if (port !== undefined && Number(port) > 65535) return `its port is ${port}: use 0 to 65535`;
  const withName = `node@${text}`;
  if (!text.includes("@") && port !== undefined && parseName(withName) !== undefined) {
    return `${form}; with a name in front it is ${withName}`;
  }
  const short = text.slice(0, text.indexOf("@"));
  if (text.includes("@") && !/^[A-Za-z0-9_.-]{1,64}$/.test(short)) {
    return `${form}; in front of the @ stand 1 to 64 letters, digits, ".", "_" or "-"`;
  }
  return form;
}

/** Whether a name that a peer sent is one, and in its one spelling. */
export function isNormalName(text: string): boolean {
  const name = parseName(text);
  return name !== undefined && formatName(name) === text;
}

/** Whether only this machine can reach the address. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname);
}
