/**
 * The type of a route, which is one row in the table of the API. The router, the checks of input
 * and the OpenAPI document all use this table, so they cannot differ.
 *
 * @module
 */
import type { Address } from "@firn/firn";
import type { NeededScope } from "../domain/token_scope.ts";
import type { Membership } from "../storage/organisations.ts";
import type { Project } from "../storage/projects.ts";
import type { Mesher } from "../mesher.ts";
import type { Requester } from "./auth.ts";

/** The type of a value in a query or a body. */
export interface Field {
  readonly type: "string" | "integer" | "number" | "boolean" | "object" | "strings" | "any";
  readonly required?: boolean;
  /** Whether null is allowed. */
  readonly nullable?: boolean;
  readonly enum?: readonly string[];
  /**
   * The limits of the value of a number, of the length of a string, or of the number of entries of
   * a list.
   */
  readonly min?: number;
  readonly max?: number;
  readonly about?: string;
}

/** The fields of a query or a body, by their names. */
export type Fields = Readonly<Record<string, Field>>;

/** The clients that may call a route. */
export type Access =
  /** All clients. */
  | "public"
  /** Clients with a project's key. */
  | "key"
  /** Users with a session or a token. */
  | "user"
  /** Operators of this installation. */
  | "operator";

/** The input of a route's handler. */
export interface RouteInput {
  readonly mesher: Mesher;
  readonly request: Request;
  readonly url: URL;
  /** The address of the peer: the client, or a proxy in front of it. */
  readonly remote: Address;
  /** The values of the variable parts of the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Values;
  readonly body: Values;
  /**
   * The client of the request. `anonymous` if the route is public, or if the key is read from the
   * body.
   */
  readonly requester: Requester;
}

/** Values that have been checked against their fields. */
export interface Values {
  readonly [name: string]: unknown;
}

/** The result of a handler: JSON with an optional status, or a complete response. */
export type Answer = Reply | Response;

/** JSON to send as the response. */
export interface Reply {
  readonly status?: number;
  readonly json: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A route of the API. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT";
  /** The path. A part `:name` is variable. */
  readonly path: string;
  readonly name: string;
  readonly about: string;
  readonly access: Access;
  /** The scope that a token needs. Default: `router.ts` derives it from method and path. */
  readonly scope?: NeededScope;
  /**
   * Whether the key may be in the body. If the head contains no key, the handler then reads it from
   * the body.
   */
  readonly lateKey?: boolean;
  readonly query?: Fields;
  /**
   * The fields of the JSON body. Without them, the handler reads the body itself if there is one.
   */
  readonly body?: Fields;
  /** Descriptions of the body that the handler reads itself instead, by content type. */
  readonly reads?: Readonly<Record<string, string>>;
  readonly ok: number;
  readonly errors: readonly number[];
  /** A description of the JSON in the response. */
  readonly returns: string;
  handle(asked: RouteInput): Promise<Answer> | Answer;
}

/** A project, its organisation, and the role of the user in it. */
export interface ProjectPlace {
  readonly project: Project;
  readonly membership: Membership;
}
