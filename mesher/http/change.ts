/**
 * The routes that change data: a POST by a user, which answers how many rows were changed.
 *
 * @module
 */
import type { Asked, Reply, Route } from "./route.ts";

/** The description of such a route. */
type Row = Pick<Route, "path" | "name" | "about" | "body" | "scope"> & {
  /** Default: "user". */
  readonly access?: Route["access"];
  /** Beside 401, 403 and 404. */
  readonly errors?: readonly number[];
};

/**
 * Creates a route that changes data. `make` resolves with whether something changed, or with the
 * number of changes.
 */
export function changeRoute(
  { errors = [], access = "user", ...row }: Row,
  make: (asked: Asked) => Promise<boolean | number>,
): Route {
  return {
    ...row,
    method: "POST",
    access,
    ok: 200,
    errors: [401, 403, 404, ...errors],
    gives: '{"status":"ok","affected"}',
    async handle(asked): Promise<Reply> {
      return { json: { status: "ok", affected: Number(await make(asked)) } };
    },
  };
}
