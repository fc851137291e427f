/**
 * Creates the `Request` that is passed to a hook. Its signal is aborted if the client disconnects
 * before the response is complete. The platform's own object is created only if it is needed.
 * Deterministic.
 *
 * @module
 */
import { headerOf, type RequestHead } from "./handshake.ts";

/** Methods that the platform's `Request` does not accept. */
const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

const HANG_UP: unique symbol = Symbol("hang up");

/** A request received by a server. */
export interface HttpRequest extends Request {
  /** Aborts the request's signal; later calls have no effect. Internal: use {@linkcode hangUp}. */
  [HANG_UP](reason: Error): void;
}

/** Aborts the signal of a request, because its client has disconnected. */
export function hangUp(request: HttpRequest, reason: Error): void {
  request[HANG_UP](reason);
}

/** An abort signal that is created on first use, because few hooks use it. */
class LazySignal {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

/**
 * A request of the platform's class that may have any method, and whose signal is aborted when the
 * client disconnects.
 */
class PlatformRequest extends Request implements HttpRequest {
  #signal: LazySignal | undefined;
  #method: string | undefined;

  /** Aborted when the client disconnects before it has received the whole response. */
  override get signal(): AbortSignal {
    return (this.#signal ??= new LazySignal()).signal;
  }

  /** The method that was sent. Bun's own class changes unknown methods to GET. */
  override get method(): string {
    return this.#method ?? super.method;
  }

  /** Returns another request with the same signal. */
  override clone(): Request {
    return new Request(super.clone(), { signal: this.signal });
  }

  [HANG_UP](reason: Error): void {
    (this.#signal ??= new LazySignal()).abort(reason);
  }

  /** Sets the method that the platform's class did not accept. */
  static rename(request: PlatformRequest, method: string): void {
    request.#method = method;
  }
}

/** The keys of the internal fields of the platform's `Request`. Empty on Bun. */
const FIELDS = Object.getOwnPropertySymbols(new Request("http://localhost/"));

/**
 * A request that creates an object of the platform's class only when more than its URL, method and
 * signal is used, because creating one costs as much as the rest of the request. On Deno it has the
 * internal fields by which the platform's functions recognise a request, such as `new
 * Request(request)` and `fetch(request)`; on Bun it has the properties, which these functions read.
 */
class LazyRequest {
  readonly #url: string;
  readonly #head: RequestHead;
  readonly #content: RequestContent;
  #signal: LazySignal | undefined;
  #platform: Request | undefined;

  constructor(url: string, head: RequestHead, content: RequestContent) {
    this.#url = url;
    this.#head = head;
    this.#content = content;
  }

  get url(): string {
    return this.#url;
  }

  get method(): string {
    return this.#head.method;
  }

  /** Aborted when the client disconnects before it has received the whole response. */
  get signal(): AbortSignal {
    return (this.#signal ??= new LazySignal()).signal;
  }

  /** Returns another request with the same signal. */
  clone(): Request {
    return new Request(LazyRequest.platformOf(this).clone(), { signal: this.signal });
  }

  [HANG_UP](reason: Error): void {
    (this.#signal ??= new LazySignal()).abort(reason);
  }

  /** Returns the platform's request for a lazy one. Creates it on the first call. */
  static platformOf(request: LazyRequest): Request {
    return request.#platform ??= LazyRequest.#make(request);
  }

  static #make(request: LazyRequest): Request {
    const head = request.#head;
    const init = initOf(head.method, request.#content);
    init.headers = headersOf(head);
    return new Request(request.#url, init);
  }
}

Object.setPrototypeOf(LazyRequest.prototype, Request.prototype);
for (const field of FIELDS) {
  type Holder = Record<symbol, unknown>;
  Object.defineProperty(LazyRequest.prototype, field, {
    get(this: LazyRequest): unknown {
      return (LazyRequest.platformOf(this) as unknown as Holder)[field];
    },
    set(this: LazyRequest, value: unknown) {
      (LazyRequest.platformOf(this) as unknown as Holder)[field] = value;
    },
  });
}

// On Bun, which has no internal fields, functions such as `fetch` read the properties of a lazy
// request, but the methods of `Request` reject it. Each property and method is therefore forwarded
// to the platform's request.
if (FIELDS.length === 0) {
  type Properties = Record<string, unknown>;
  const own = Object.getOwnPropertyNames(LazyRequest.prototype);
  const platform = Object.getOwnPropertyDescriptors(Request.prototype);
  for (const [name, { value }] of Object.entries(platform)) {
    if (own.includes(name)) continue;
    Object.defineProperty(LazyRequest.prototype, name, {
      configurable: true,
      ...(typeof value === "function"
        ? {
          value(this: LazyRequest, ...args: unknown[]): unknown {
            const request = LazyRequest.platformOf(this);
            return (value as (...args: unknown[]) => unknown).apply(request, args);
          },
        }
        : {
          get(this: LazyRequest): unknown {
            return (LazyRequest.platformOf(this) as unknown as Properties)[name];
          },
        }),
    });
  }
  Object.defineProperty(LazyRequest.prototype, Symbol.for("nodejs.util.inspect.custom"), {
    value(this: LazyRequest): unknown {
      return LazyRequest.platformOf(this);
    },
  });
}

/** Methods that the platform's `Request` does not change or reject. */
const NORMAL_METHODS: ReadonlySet<string> = new Set([
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "POST",
  "PUT",
]);

/**
 * The methods for which the platform's functions accept a lazy request in place of their own class.
 */
const LAZY_METHODS: ReadonlySet<string> = [...NORMAL_METHODS].every(isTaken)
  ? NORMAL_METHODS
  // Bun's `new Request` does not copy the method if it receives headers as second argument.
  : new Set(["GET"].filter(isTaken));

/** Returns whether the platform copies a lazy request with this method correctly. */
function isTaken(method: string): boolean {
  const head: RequestHead = { method, target: "/d", version: "1.1", headers: [["a", "b"]] };
  const content = hasBody(method) ? new Uint8Array(1) : undefined;
  const lazy = (): Request =>
    new LazyRequest("http://localhost/d", head, content) as unknown as Request;
  try {
    const from = lazy();
    const copy = new Request(from);
    const changed = new Request(lazy(), { headers: { e: "f" } });
    return [copy, changed].every((each) => each.url.endsWith("/d") && each.method === method) &&
      copy.headers.get("a") === "b" && changed.headers.get("e") === "f" &&
      (content === undefined || from.bodyUsed);
  } catch {
    return false;
  }
}

/** Matches a path and query that URL parsing leaves unchanged. */
const NORMAL_TARGET =
  /^(?:\/(?!\.)(?:[\w\-~!$&()*+,;=:@.]|%(?!2e))*)+(?:\?[\w\-.~!$&()*+,;=:@%\/?]*)?$/i;

/** Computes the origins of requests, and caches the origin of the last host. */
export class RequestOrigins {
  #scheme = "";
  #host = "";
  #origin: string | undefined;

  /**
   * Returns the origin of a URL with this scheme and host, as the URL standard formats it, or
   * `undefined` if the host is invalid.
   */
  of(scheme: "http" | "https", host: string): string | undefined {
    if (scheme !== this.#scheme || host !== this.#host) {
      const url = URL.parse(`${scheme}://${host}/`);
      // An origin has no user name, and the platform's `Request` rejects URLs with one.
      this.#origin = url === null || url.username !== "" ? undefined : url.origin;
      this.#scheme = scheme;
      this.#host = host;
    }
    return this.#origin;
  }
}

/** The body of a request: `undefined` for none, bytes if it is complete, or a stream. */
export type RequestContent = Uint8Array | ReadableStream<Uint8Array<ArrayBuffer>> | undefined;

/**
 * Builds the request for the hooks; returns `undefined` if the platform's class cannot represent
 * it.
 */
export function buildRequest(
  head: RequestHead,
  scheme: "http" | "https",
  content: RequestContent,
  origins: RequestOrigins,
): HttpRequest | undefined {
  const { method, target } = head;
  const host = headerOf(head, "host") ?? "localhost";
  if (LAZY_METHODS.has(method) && NORMAL_TARGET.test(target)) {
    const origin = origins.of(scheme, host);
    if (origin !== undefined) {
      return new LazyRequest(origin + target, head, content) as unknown as HttpRequest;
    }
  }
  if (FORBIDDEN_METHODS.has(method.toUpperCase())) return undefined;
  const headers = headersOf(head);
  let url = `${scheme}://${host}${target}`;
  if (target === "*") url = `${scheme}://${host}/*`;
  else if (!target.startsWith("/")) {
    // RFC 9112, section 3.2.2: the authority of the target replaces the header Host.
    url = target;
    const line = headers.find(([name]) => name === "host");
    if (line !== undefined) line[1] = authorityOf(target);
  }
  const init = initOf(method, content);
  try {
    let request = method === "GET" ? new PlatformRequest(url) : new PlatformRequest(url, init);
    if (request.method !== method && request.method !== method.toUpperCase()) {
      request = new PlatformRequest(url, { ...init, method: "POST" });
      PlatformRequest.rename(request, method);
    }
    // On Bun, passing the headers to the constructor takes twice as long as appending them.
    const { headers: added } = request;
    for (const [name, value] of headers) added.append(name, value);
    return request;
  } catch {
    return undefined;
  }
}

/** Returns the headers of a request for the platform's class. */
function headersOf(head: RequestHead): [string, string][] {
  const headers: [string, string][] = [];
  let cookie: [string, string] | undefined;
  for (const [name, value] of head.headers) {
    // RFC 9113, section 8.2.3: Cookie is the only list that is not joined with commas.
    if (name === "cookie") {
      if (cookie !== undefined) {
        cookie[1] += `; ${value}`;
        continue;
      }
      cookie = [name, value];
      headers.push(cookie);
    } else headers.push([name, value]);
  }
  return headers;
}

/** Returns method and body of a request for the platform's class. */
function initOf(method: string, content: RequestContent): RequestInit {
  const init: RequestInit & { duplex?: "half" } = { method };
  if (content !== undefined && hasBody(method)) {
    init.body = content as Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;
    if (content instanceof ReadableStream) init.duplex = "half";
  }
  return init;
}

/**
 * Returns whether a body has a meaning for this method: false for GET and HEAD, whose body is read
 * and dropped (RFC 9110, section 9.3.1).
 */
export function hasBody(method: string): boolean {
  const upper = method.toUpperCase();
  return upper !== "GET" && upper !== "HEAD";
}

/** Returns the host and port of a request's target in absolute form. */
export function authorityOf(target: string): string {
  return /^https?:\/\/([^/?#]*)/i.exec(target)![1]!;
}
