/**
 * Parses certificates and keys in PEM before they are used. The runtimes detect an invalid
 * certificate or key only in the first handshake, and report it only to the peer.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";

/**
 * Throws `fail(message)` if a text is not valid PEM, or if `key` is not the private key of `cert`.
 */
export function checkPem(
  { cert, key, ca }: { readonly cert: string; readonly key: string; readonly ca?: string },
  fail: (words: string) => Error,
): void {
  const read = <T>(name: string, text: string, make: (text: string) => T): T => {
    if (!String(text).includes("-----BEGIN ")) {
      throw fail(`option tls.${name} is not PEM: pass the text of the file, not its name`);
    }
    try {
      return make(text);
    } catch (error) {
      // The parser's error describes the format of the text, and does not repeat its content.
      throw fail(`option tls.${name} cannot be read as PEM: ${(error as Error).message}`);
    }
  };
  const certificate = (text: string): X509Certificate => new X509Certificate(text);
  if (ca !== undefined) read("ca", ca, certificate);
  const leaf = read("cert", cert, certificate);
  if (leaf.checkPrivateKey(read("key", key, (text) => createPrivateKey(text)))) return;
  throw fail("option tls.key is not the key of tls.cert");
}
