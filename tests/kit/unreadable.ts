/** Values that a program may throw or send, whose properties throw when they are read. */

function boom(): never {
  throw new Error("a trap");
}

/** Returns values that cannot be read, by name. */
export function unreadableValues(): Record<string, object> {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const error = new Error("hidden");
  for (const name of ["name", "message", "stack", "cause"]) {
    Object.defineProperty(error, name, { get: boom });
  }
  return {
    revoked: proxy,
    traps: new Proxy({}, { getPrototypeOf: boom, get: boom, has: boom, ownKeys: boom }),
    getters: error,
    proxyOfError: new Proxy(new Error("hidden"), { get: boom }),
  };
}
