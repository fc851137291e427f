/**
 * The two cookies: that of the session, which grants access, and that of the browser, which only
 * shows that a user has logged in from this browser before (see `attempts.ts`).
 *
 * Over https, the names begin with `__Host-`: browsers then accept the cookie only from this host
 * over https, so that neither a subdomain nor a page of plain http can set it. Over https, only
 * cookies with this prefix are read, and over http only cookies without it.
 *
 * @module
 */

/** The name of the session's cookie. */
export const SESSION_COOKIE = "mesher_session";
/** The name of the browser's cookie. */
export const BROWSER_COOKIE = "mesher_browser";

/** Returns a Set-Cookie header: scripts cannot read the cookie, and other sites do not send it. */
export function setCookie(
  name: string,
  value: string,
  maxAgeSeconds: number,
  isSecure: boolean,
): string {
  const secure = isSecure ? "; Secure" : "";
  return `${named(name, isSecure)}=${value}; Path=/; Max-Age=${maxAgeSeconds}; ` +
    `HttpOnly; SameSite=Strict${secure}`;
}

/** Returns the value of a cookie in a Cookie header. */
export function cookieOf(
  header: string | null,
  name: string,
  isSecure: boolean,
): string | undefined {
  const wanted = named(name, isSecure);
  for (const pair of header?.split(";") ?? []) {
    const at = pair.indexOf("=");
    if (at > 0 && pair.slice(0, at).trim() === wanted) return pair.slice(at + 1).trim();
  }
  return undefined;
}

function named(name: string, isSecure: boolean): string {
  return isSecure ? `__Host-${name}` : name;
}
