/**
 * Helpers for hostile tests: the operations of the API according to its own document, so that new
 * routes are covered automatically; two organisations that each contain one object of every kind;
 * and requests that ordinary clients do not send.
 */
import { assert } from "@std/assert";
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { until } from "../kit/test.ts";
import { Client, type Got, loggedIn, type Stage } from "./end_to_end_kit.ts";

/** The schema of a field in the API document. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
}

/** An operation in the API document. */
export interface Operation {
  readonly method: "GET" | "POST" | "PUT";
  /** The path. `{name}` is a variable segment. */
  readonly path: string;
  readonly params: readonly string[];
  readonly query: Readonly<Record<string, Schema>>;
  /** The fields of its JSON body, if any. */
  readonly body: Readonly<Record<string, Schema>> | null;
  /** Whether the operation's body contains events. */
  readonly isIngest: boolean;
  readonly access: "public" | "key" | "user";
  /** All statuses that the document lists for the operation. */
  readonly statuses: readonly number[];
}

/** Paths of operations that delete what other operations need. */
export const DESTRUCTIVE: RegExp = /\/(?:logout|end|delete|remove|discard|revoke|password)$/;

/** Returns the operations in the document that a node serves. */
export async function operationsOf(url: string): Promise<Operation[]> {
  const document = (await new Client(url).get("/api/openapi.json")).json;
  const all: Operation[] = [];
  for (const [path, methods] of Object.entries(document.paths)) {
    // deno-lint-ignore no-explicit-any -- JSON whose type is tested
    for (const [method, of] of Object.entries(methods as any) as [string, any][]) {
      const named = (where: string): [string, Schema][] =>
        of.parameters.filter((one: { in: string }) => one.in === where)
          .map((one: { name: string; schema: Schema }) => [one.name, one.schema]);
      const fields = of.requestBody?.content["application/json"]?.schema?.properties ?? null;
      const schemes = of.security.map((one: object) => Object.keys(one)[0]);
      all.push({
        method: method.toUpperCase() as Operation["method"],
        path,
        params: named("path").map(([name]) => name),
        query: Object.fromEntries(named("query")),
        body: fields,
        isIngest: of.requestBody !== undefined && fields === null,
        access: schemes.length === 0 ? "public" : schemes.includes("session") ? "user" : "key",
        statuses: Object.keys(of.responses).map(Number),
      });
    }
  }
  return all;
}

/** An id that does not exist. */
export const NO_ID = "00000000-0000-7000-8000-000000000000";

/** Returns the path with these values in its variable segments. */
export function pathOf({ path }: Operation, values: Readonly<Record<string, string>>): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values[name] ?? NO_ID));
}

/** Returns a valid value for a field. */
export function fitting({ type, enum: values, minimum }: Schema): unknown {
  if (values !== undefined) return values.at(-1);
  switch (Array.isArray(type) ? type[0] : type) {
    case "boolean":
      return true;
    case "object":
      return { condition_type: "new_issue", type: "websocket" };
    case "array":
      return ["text"];
    case "integer":
    case "number":
      return minimum ?? 1;
    default:
      return "text";
  }
}

/** Returns a valid body for an operation. */
export function bodyOf({ body }: Operation): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(body ?? {}).map(([name, schema]) => [name, fitting(schema)]),
  );
}

/** Returns a valid query for an operation. */
export function queryOf({ query }: Operation): string {
  const pairs = Object.entries(query).filter(([name]) => !/^cursor/.test(name))
    .map(([name, schema]): [string, string] => [name, String(fitting(schema))]);
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`;
}

/** Sends a request with a valid body. */
export function ask(client: Client, operation: Operation, path: string): Promise<Got> {
  const { method, isIngest } = operation;
  if (method === "GET") return client.get(path + queryOf(operation));
  const body = isIngest ? { message: "m" } : bodyOf(operation);
  return client.ask(method, path, JSON.stringify(body));
}

/** The ids of an organisation, by the names of path segments, and its clients. */
export interface Fixture {
  readonly user: Client;
  readonly sender: Client;
  readonly userId: string;
  readonly ids: Readonly<Record<string, string>>;
}

/** Creates one object of every kind in the first organisation. */
export async function ownOrganisation({ user, sender, first }: Stage): Promise<Fixture> {
  return await createObjects(user, sender, first.organisationId, first.projectId);
}

/** Creates another user, with an organisation that also has one object of every kind. */
export async function otherOrganisation({ app, user }: Stage): Promise<Fixture> {
  const eva = { email: "eva@example.org", password: "a long enough one" };
  const made = await user.post("/api/v1/orgs/default/users", eva);
  const own = await loggedIn(app.url, eva.email, eva.password);
  await user.post(`/api/v1/orgs/default/members/${made.json.id}/remove`);
  const org = (await own.post("/api/v1/orgs", { name: "Elsewhere" })).json.id;
  const project = (await own.post(`/api/v1/orgs/${org}/projects`, { name: "Theirs" })).json.id;
  const key = (await own.post(`/api/v1/projects/${project}/api-keys`, {})).json.key_value;
  return await createObjects(own, new Client(app.url, { "x-api-key": key }), org, project);
}

async function createObjects(
  user: Client,
  sender: Client,
  org: string,
  project: string,
): Promise<Fixture> {
  const rule = await user.post(`/api/v1/projects/${project}/alert-rules`, {
    name: "r",
    condition: { condition_type: "new_issue" },
  });
  const event = (await sender.post("/api/v1/events", { message: "secret" })).json.id;
  let alerts: { id: string; issue_id: string }[] = [];
  await until("the alert has fired", async () => {
    alerts = (await user.get(`/api/v1/projects/${project}/alerts`)).json;
    return alerts.length > 0;
  });
  // Creates a release of this project only.
  const version = `release of ${project}`;
  await user.post(`/api/v1/projects/${project}/releases`, { version });
  const ids = {
    version,
    project_id: project,
    project,
    org_id: org,
    event_id: event,
    issue_id: alerts[0]!.issue_id,
    alert_id: alerts[0]!.id,
    rule_id: rule.json.id,
    key_id: (await user.get(`/api/v1/projects/${project}/api-keys`)).json[0].id,
    membership_id: (await user.get(`/api/v1/orgs/${org}/members`)).json[0].id,
    session_id: (await user.get("/api/v1/sessions")).json[0].id,
  };
  for (const [name, id] of Object.entries(ids)) assert(id !== undefined, `no ${name}`);
  return { user, sender, userId: (await user.get("/api/v1/me")).json.user.id, ids };
}

/** A response read from a socket. */
export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/**
 * Sends these bytes, which may not be a valid request, and reads until the server closes the
 * connection.
 */
export function rawAsk(url: string, request: string | Uint8Array): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.setTimeout(10_000, () => {
      socket.destroy();
      reject(new Error(`no response for 10 s to ${request.slice(0, 100)}`));
    });
    socket.on("close", () => {
      const text = Buffer.concat(chunks).toString("utf8");
      const end = text.indexOf("\r\n\r\n");
      const head = end < 0 ? text : text.slice(0, end);
      resolve({ status: Number(head.slice(9, 12)), head, body: text.slice(end + 4) });
    });
    socket.write(request);
  });
}

/** Returns a request head with these headers and `connection: close`. */
export function headOf(line: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ host: "localhost", connection: "close", ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
