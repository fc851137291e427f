/**
 * Creates the OpenAPI document for a table of routes.
 *
 * @module
 */
import type { Access, Field, Route } from "./route.ts";

type Json = Readonly<Record<string, unknown>>;

const ERROR_WORDS: Readonly<Record<number, string>> = {
  400: "The request is not valid",
  401: "The credential is missing or wrong",
  403: "Not allowed",
  404: "It does not exist, or you have no access to it",
  409: "It conflicts with the current state, or a quota is exhausted",
  413: "The body is too large",
  415: "The type or encoding of the body is not supported",
  429: "Too many requests or items: see Retry-After",
  503: "Temporarily unavailable: see Retry-After",
};

const SECURITY: Readonly<Record<Access, readonly Json[]>> = {
  public: [],
  key: [{ apiKey: [] }, { bearerKey: [] }, { sentryAuth: [] }, { sentryKey: [] }],
  user: [{ session: [] }, { token: [] }],
  operator: [{ session: [] }, { token: [] }],
};

/** Returns the OpenAPI document for these routes. */
export function openApiOf(routes: readonly Route[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
    (paths[path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Mesher",
      version: "1",
      description: "Errors of programs, gathered and grouped",
    },
    paths,
    components: {
      securitySchemes: {
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
        sentryAuth: {
          type: "apiKey",
          in: "header",
          name: "X-Sentry-Auth",
          description: "Sentry sentry_key=…",
        },
        sentryKey: { type: "apiKey", in: "query", name: "sentry_key" },
        bearerKey: { type: "http", scheme: "bearer", description: "A project's key" },
        session: { type: "apiKey", in: "cookie", name: "mesher_session" },
        token: { type: "http", scheme: "bearer", description: "A personal token" },
      },
      schemas: {
        Error: {
          type: "object",
          required: ["error"],
          properties: { error: { type: "string" } },
        },
      },
    },
  };
}

function operationOf(route: Route): Json {
  const variables = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const query = Object.entries(route.query ?? {}).map(([name, field]) => ({
    name,
    in: "query",
    required: field.required ?? false,
    ...(field.about === undefined ? {} : { description: field.about }),
    schema: schemaOf(field),
  }));
  const errors = errorsOf(route).map((status) => [status, {
    description: ERROR_WORDS[status] ?? "It failed",
    content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
  }]);
  return {
    operationId: route.name,
    summary: route.about,
    security: SECURITY[route.access],
    parameters: [...variables, ...query],
    ...requestBodyOf(route),
    responses: { [route.ok]: { description: route.returns }, ...Object.fromEntries(errors) },
  };
}

/** Returns the errors of a route: its own, and those that the router may return for it. */
function errorsOf({ access, method, query, body, errors }: Route): number[] {
  const all = new Set(errors);
  if (access !== "public") all.add(401);
  if (access === "operator" || access === "user" && method !== "GET") all.add(403);
  if (query !== undefined && Object.keys(query).length > 0) all.add(400);
  if (body !== undefined) { for (const status of [400, 413, 415]) all.add(status); }
  return [...all].sort();
}

function requestBodyOf({ body, reads }: Route): Json {
  if (reads !== undefined) {
    const content = Object.entries(reads).map(([type, description]) => [type, {
      schema: { description },
    }]);
    return { requestBody: { required: true, content: Object.fromEntries(content) } };
  }
  if (body === undefined) return {};
  const fields = Object.entries(body);
  const required = fields.filter(([, field]) => field.required).map(([name]) => name);
  const schema = {
    type: "object",
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(fields.map(([name, field]) => [name, schemaOf(field)])),
  };
  return {
    requestBody: {
      required: required.length > 0,
      content: { "application/json": { schema } },
    },
  };
}

function schemaOf({ type, enum: values, min, max, nullable, about }: Field): Json {
  if (type === "any") return about === undefined ? {} : { description: about };
  if (type === "strings") {
    return {
      type: "array",
      items: { type: "string" },
      ...(min === undefined ? {} : { minItems: min }),
      ...(max === undefined ? {} : { maxItems: max }),
      ...(about === undefined ? {} : { description: about }),
    };
  }
  const [least, most] = type === "string" ? ["minLength", "maxLength"] : ["minimum", "maximum"];
  return {
    type: nullable ? [type, "null"] : type,
    ...(values === undefined ? {} : { enum: values }),
    ...(min === undefined ? {} : { [least!]: min }),
    ...(max === undefined ? {} : { [most!]: max }),
    ...(about === undefined ? {} : { description: about }),
  };
}
