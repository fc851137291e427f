/**
 * The request that a hook receives: the platform's class, whose signal is aborted when its client hangs
 * up before it has the answer. Quiet.
 *
 * @module
 */
import type { RequestHead } from "./handshake.ts";

/** Methods that the platform's `Request` must not have. */
const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/** A request of a server. */
export class HttpRequest extends Request {
  /** Made when somebody asks for it: few hooks do, and on Deno it costs as much as the request. */
  #controller: AbortController | undefined;
  #hungUp: Error | undefined;
  #method: string | undefined;

  /** Aborted when the client hangs up before it has the whole answer. */
  override get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#hungUp !== undefined) this.#controller.abort(this.#hungUp);
    }
    return this.#controller.signal;
  }

  /** The method that was sent. Bun's own class makes a GET of one that it does not know. */
  override get method(): string {
    return this.#method ?? super.method;
  }

  /** A second request with the same signal. */
  override clone(): Request {
    return new Request(super.clone(), { signal: this.signal });
  }

  /** Aborts the signal of a request. */
  static hangUp(request: HttpRequest, reason: Error): void {
    if (request.#hungUp !== undefined) return;
    request.#hungUp = reason;
    request.#controller?.abort(reason);
  }

  /** Sets the method that the platform's class did not take. */
  static rename(request: HttpRequest, method: string): void {
    request.#method = method;
  }
}

/** The body of a request: none, all of it, or what is still arriving. */
export type RequestContent = Uint8Array | ReadableStream<Uint8Array<ArrayBuffer>> | undefined;

/** Builds the request for the hooks; `undefined` for one that the platform's class cannot express. */
export function buildRequest(
  head: RequestHead,
  scheme: "http" | "https",
  content: RequestContent,
): HttpRequest | undefined {
  const { method, target } = head;
  if (FORBIDDEN_METHODS.has(method.toUpperCase())) return undefined;
  const headers: [string, string][] = [];
  let host = "localhost";
  let cookie: [string, string] | undefined;
  for (const [name, value] of head.headers) {
    if (name === "host") host = value;
    // RFC 9113, section 8.2.3: Cookie is the one list that is not joined by commas.
    if (name === "cookie") {
      if (cookie !== undefined) {
        cookie[1] += `; ${value}`;
        continue;
      }
      cookie = [name, value];
      headers.push(cookie);
    } else headers.push([name, value]);
  }
  let url = `${scheme}://${host}${target}`;
  if (target === "*") url = `${scheme}://${host}/*`;
  else if (!target.startsWith("/")) {
    // RFC 9112, section 3.2.2: the authority of the target replaces the header Host.
    url = target;
    const line = headers.find(([name]) => name === "host");
    if (line !== undefined) line[1] = authorityOf(target);
  }
  const init: RequestInit & { duplex?: "half" } = { method, headers };
  if (content !== undefined && hasBody(method)) {
    init.body = content as Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;
    if (content instanceof ReadableStream) init.duplex = "half";
  }
  try {
    let request = new HttpRequest(url, init);
    if (request.method !== method && request.method !== method.toUpperCase()) {
      request = new HttpRequest(url, { ...init, method: "POST" });
      HttpRequest.rename(request, method);
    }
    return request;
  } catch {
    return undefined;
  }
}

/** Returns false for methods whose body has no meaning: it is read and dropped (RFC 9110, 9.3.1). */
export function hasBody(method: string): boolean {
  const upper = method.toUpperCase();
  return upper !== "GET" && upper !== "HEAD";
}

/** Host and port of a request's target in absolute form, as they are written there. */
export function authorityOf(target: string): string {
  return /^https?:\/\/([^/?#]*)/i.exec(target)![1]!;
}
