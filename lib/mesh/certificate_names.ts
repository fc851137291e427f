/**
 * Reads the names in a certificate (RFC 5280, 4.2.1.6), and checks whether a node's name is one of
 * them.
 *
 *     certificate ─▶ to be signed ─▶ [3] extensions ─▶ subjectAltName ─▶ DNS names, addresses, URIs
 *
 * The certificate comes from a peer: every length is checked, and a malformed certificate has no
 * names. The runtimes' own parsers are not used. Each returns all names as one text in a format of
 * its own, with commas between the names, although a name may contain a comma.
 *
 * @module
 */
import * as der from "./der.ts";
import { fail, type Failure } from "./handshake.ts";
import { parseName } from "./name.ts";

/** The alternative names of a certificate. */
export interface CertificateNames {
  /** Host names in lower case; the first label may be `*`. */
  readonly dns: readonly string[];
  /** Addresses as bytes: 4 for IPv4, 16 for IPv6. */
  readonly addresses: readonly Uint8Array[];
  /** URIs, such as `firn://a@10.0.0.7:9000` or `spiffe://example.org/db`. */
  readonly uris: readonly string[];
}

const SUBJECT_ALT_NAME = der.oid("2.5.29.17");

/** Tags of the names in a certificate (GeneralName): host name, URI and address. */
const DNS = 0x82;
const URI = 0x86;
const ADDRESS = 0x87;

/** The tag of the extensions in a certificate. */
const EXTENSIONS = 0xa3;

const decoder = new TextDecoder();

/** Returns the alternative names of a certificate in DER, or no names if it is malformed. */
export function certificateNames(certificate: Uint8Array): CertificateNames {
  const names = { dns: [] as string[], addresses: [] as Uint8Array[], uris: [] as string[] };
  const [whole] = der.children(certificate);
  const [toSign] = whole ? der.children(whole.body) : [];
  if (toSign === undefined) return names;
  const explicit = der.children(toSign.body).find(({ tag }) => tag === EXTENSIONS);
  const [list] = explicit ? der.children(explicit.body) : [];
  for (const extension of list ? der.children(list.body) : []) {
    const parts = der.children(extension.body);
    if (parts.length < 2 || !equals(parts[0]!.whole, SUBJECT_ALT_NAME)) continue;
    const [general] = der.children(parts.at(-1)!.body);
    for (const { tag, body } of general ? der.children(general.body) : []) {
      if (tag === DNS) names.dns.push(decoder.decode(body).toLowerCase());
      else if (tag === URI) names.uris.push(decoder.decode(body));
      else if (tag === ADDRESS) names.addresses.push(body);
    }
  }
  return names;
}

/** Returns the URI of a node in the certificate derived from the cookie. */
export function nodeUri(nodeName: string): string {
  return `firn://${nodeName}`;
}

/**
 * Returns an error unless a certificate derived from the cookie belongs to the node with this name.
 */
export function checkNodeUri(nodeName: string, certificate: Uint8Array): Failure | undefined {
  const { uris } = certificateNames(certificate);
  if (uris.includes(nodeUri(nodeName))) return undefined;
  const other = uris.map((uri) => uri.slice(nodeUri("").length)).find(parseName);
  const named = other ?? "a node without a valid name";
  return fail("wrongnode", `${named} answered where ${nodeName} was dialed`);
}

/**
 * Returns an error unless a certificate of the user's own authority contains the host of a node's
 * name.
 */
export function checkHost(nodeName: string, certificate: Uint8Array): Failure | undefined {
  const { hostname } = parseName(nodeName)!;
  if (hasHost(certificateNames(certificate), hostname)) return undefined;
  return fail("certificate", `its certificate is not for ${hostname}, the host of ${nodeName}`);
}

/** Returns whether a certificate contains a host name or an address (RFC 6125). */
export function hasHost({ dns, addresses }: CertificateNames, hostname: string): boolean {
  const address = addressBytes(hostname);
  if (address !== undefined) return addresses.some((other) => equals(other, address));
  const host = hostname.toLowerCase().replace(/\.$/, "");
  const parent = host.indexOf(".");
  return dns.some((name) =>
    name === host ||
    // `*` matches one label. At least two labels must follow it, so `*.com` matches nothing.
    name.startsWith("*.") && name.indexOf(".", 2) > 0 && parent > 0 &&
      name.slice(1) === host.slice(parent)
  );
}

/** Returns the bytes of an address in text form; `undefined` for a host name. */
function addressBytes(text: string): Uint8Array | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    const bytes = text.split(".").map(Number);
    return bytes.every((byte) => byte < 256) ? new Uint8Array(bytes) : undefined;
  }
  if (!text.includes(":") || !URL.canParse(`http://[${text}]`)) return undefined;
  // The URL parser accepts every notation of an IPv6 address, and returns hexadecimal groups with
  // at most one "::".
  const [front = "", back] = new URL(`http://[${text}]`).hostname.slice(1, -1).split("::");
  const groups = (part: string | undefined): string[] => part ? part.split(":") : [];
  const [first, last] = [groups(front), groups(back)];
  const zeros = new Array<string>(8 - first.length - last.length).fill("0");
  return new Uint8Array(
    [...first, ...zeros, ...last].flatMap((group) => {
      const value = parseInt(group, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}

function equals(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}
