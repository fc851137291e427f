/**
 * A route: one row of the API's table. The router, the input checks and the OpenAPI document are
 * derived from these rows, so they cannot differ.
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
  /** The limits of a number's value, of a string's characters, or of a list's entries. */
  readonly min?: number;
  readonly max?: number;
  readonly about?: string;
}

/** Fields by name. */
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

/** The input of a handler. */
export interface Asked {
  readonly mesher: Mesher;
  readonly request: Request;
  readonly url: URL;
  /** The peer: the client, or a proxy in front of it. */
  readonly remote: Address;
  /** The variable parts of the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Values;
  readonly body: Values;
  /** The user; `anonymous` if access is public or by key. */
  readonly requester: Requester;
}

/** Values that have been checked against their fields. */
export interface Values {
  readonly [name: string]: unknown;
}

/** The result of a handler: JSON with an optional status, or a complete response. */
export type Answer = Reply | Response;

/** JSON to send. */
export interface Reply {
  readonly status?: number;
  readonly json: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One row. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT";
  /** `:name` is a variable part. */
  readonly path: string;
  readonly name: string;
  readonly about: string;
  readonly access: Access;
  /** The scope that a token needs. Default: derived from method and path (`router.ts`). */
  readonly scope?: NeededScope;
  /**
   * Whether the key may be in the body instead: without a key in the head, the handler looks for
   * it.
   */
  readonly lateKey?: boolean;
  readonly query?: Fields;
  /**
   * The fields of the JSON body. Without them, the handler reads the body itself, if there is one.
   */
  readonly body?: Fields;
  /** Descriptions of the body that the handler reads itself, by content type. */
  readonly reads?: Readonly<Record<string, string>>;
  readonly ok: number;
  readonly errors: readonly number[];
  /** A description of the response's JSON. */
  readonly gives: string;
  handle(asked: Asked): Promise<Answer> | Answer;
}

/** A project, and the user's role in its organisation. */
export interface ProjectPlace {
  readonly project: Project;
  readonly membership: Membership;
}
