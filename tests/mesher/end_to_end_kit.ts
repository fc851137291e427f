/** A node of Mesher for tests: in memory, on free ports, with a client of its API. */
import { assertEquals } from "@std/assert";
import { type App, startApp } from "../../mesher/app.ts";
import { type Config, readConfig } from "../../mesher/config.ts";
import type { FirstRun } from "../../mesher/first_run.ts";
import type { Storage } from "../../mesher/storage/storage.ts";
import { startCheaply } from "../kit/keys.ts";

/**
 * Parameters of scrypt with which a hash takes one or two milliseconds instead of a quarter of a
 * second.
 */
const CHEAP = { N: 1_024, r: 8, p: 1 };

/** Returns a config for tests. Password hashes are cheap. */
export function testConfig(changes: Partial<Config> = {}): Config {
  const env = { MESHER_HTTP_PORT: "0", MESHER_WS_PORT: "0" };
  return { ...readConfig(env, { memory: true }), passwordCost: CHEAP, ...changes };
}

/** A response of the API. */
export interface Got {
  readonly status: number;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any -- arbitrary JSON
  readonly json: any;
}

/** An HTTP client of the API. */
export class Client {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.url = url;
    this.headers = headers;
  }

  /** Returns a client of the same server with other headers. */
  as(headers: Readonly<Record<string, string>>): Client {
    return new Client(this.url, headers);
  }

  get(path: string): Promise<Got> {
    return this.ask("GET", path);
  }

  post(path: string, body?: unknown): Promise<Got> {
    return this.ask("POST", path, body === undefined ? undefined : JSON.stringify(body));
  }

  async ask(method: string, path: string, body?: BodyInit): Promise<Got> {
    const headers = { "content-type": "application/json", ...this.headers };
    const response = await fetch(this.url + path, { method, headers, body: body ?? null });
    const text = await response.text();
    let json: unknown = null;
    try {
      json = JSON.parse(text);
    } catch {
      json = text;
    }
    return { status: response.status, headers: response.headers, json };
  }
}

/** Logs in. Returns a client with the session's cookie. */
export async function loggedIn(url: string, email: string, password: string): Promise<Client> {
  const got = await new Client(url).post("/api/v1/login", { email, password });
  assertEquals(got.status, 200, JSON.stringify(got.json));
  return new Client(url, { cookie: got.headers.get("set-cookie")!.split(";")[0]! });
}

/** A running node and its clients. */
export interface Stage {
  readonly app: App;
  readonly first: FirstRun;
  /** A client that is logged in as the first user. */
  readonly user: Client;
  /** A client with the first project's key. */
  readonly sender: Client;
  readonly lines: string[];
}

/** Runs `body` on a new node. */
export async function onStage(
  body: (stage: Stage) => Promise<void>,
  changes: Partial<Config> = {},
  storage: Storage | undefined = undefined,
  now: (() => number) | undefined = undefined,
): Promise<void> {
  const lines: string[] = [];
  const log = (_level: string, text: string): void => void lines.push(text);
  const app = await startApp(testConfig(changes), { log, storage, now, startNode: startCheaply });
  try {
    const first = app.first!;
    const user = await loggedIn(app.url, first.email, first.password);
    const sender = new Client(app.url, { "x-api-key": first.key });
    await body({ app, first, user, sender, lines });
  } finally {
    await app.stop();
  }
}
