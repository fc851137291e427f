/**
 * Creates routes that change data: a POST by a user, which answers with the number of changed rows.
 *
 * @module
 */
import type { Reply, Route, RouteInput } from "./route.ts";

/** The description of a route that changes data. */
type Row = Pick<Route, "path" | "name" | "about" | "body" | "scope"> & {
  /** The clients that may call the route. Default: "user". */
  readonly access?: Route["access"];
  /** Error statuses of the route, in addition to 401, 403 and 404. */
  readonly errors?: readonly number[];
};

/**
 * Creates a route that changes data. `make` resolves with the number of changed rows, or with
 * whether a row was changed.
 */
export function changeRoute(
  { errors = [], access = "user", ...row }: Row,
  make: (asked: RouteInput) => Promise<boolean | number>,
): Route {
  return {
    ...row,
    method: "POST",
    access,
    ok: 200,
    errors: [401, 403, 404, ...errors],
    returns: '{"status":"ok","affected"}',
    async handle(asked): Promise<Reply> {
      return { json: { status: "ok", affected: Number(await make(asked)) } };
    },
  };
}
