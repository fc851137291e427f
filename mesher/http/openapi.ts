/**
 * The OpenAPI document of a table of routes.
 *
 * @module
 */
import type { Access, Field, Route } from "./route.ts";

type Json = Readonly<Record<string, unknown>>;

const ERROR_WORDS: Readonly<Record<number, string>> = {
  400: "The request is not valid",
  401: "No credential, or a wrong one",
  403: "Not allowed",
  404: "There is no such thing, or it is not yours",
  409: "It is so already",
  429: "Too many: see Retry-After",
  503: "Not now: see Retry-After",
};

const SECURITY: Readonly<Record<Access, readonly Json[]>> = {
  public: [],
  key: [{ apiKey: [] }, { bearerKey: [] }],
  user: [{ session: [] }, { token: [] }],
};

/** The document. */
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
  const errors = route.errors.map((status) => [status, {
    description: ERROR_WORDS[status] ?? "It failed",
    content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
  }]);
  return {
    operationId: route.name,
    summary: route.about,
    security: SECURITY[route.access],
    parameters: [...variables, ...query],
    ...(route.body === undefined ? {} : { requestBody: bodyOf(route) }),
    responses: { [route.ok]: { description: route.gives }, ...Object.fromEntries(errors) },
  };
}

function bodyOf({ body = {} }: Route): Json {
  const fields = Object.entries(body);
  const required = fields.filter(([, field]) => field.required).map(([name]) => name);
  return {
    required: required.length > 0,
    content: {
      "application/json": {
        schema: {
          type: "object",
          ...(required.length === 0 ? {} : { required }),
          properties: Object.fromEntries(fields.map(([name, field]) => [name, schemaOf(field)])),
        },
      },
    },
  };
}

function schemaOf({ type, enum: values, min, max, nullable, about }: Field): Json {
  if (type === "any") return about === undefined ? {} : { description: about };
  const [least, most] = type === "string" ? ["minLength", "maxLength"] : ["minimum", "maximum"];
  return {
    type: nullable ? [type, "null"] : type,
    ...(values === undefined ? {} : { enum: values }),
    ...(min === undefined ? {} : { [least!]: min }),
    ...(max === undefined ? {} : { [most!]: max }),
    ...(about === undefined ? {} : { description: about }),
  };
}
