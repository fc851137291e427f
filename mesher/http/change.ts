/**
 * The routes that change something: a POST, by a person, that answers how much was changed.
 *
 * @module
 */
import type { Asked, Reply, Route } from "./route.ts";

/** The description of such a route. */
type Row = Pick<Route, "path" | "name" | "about" | "body"> & {
  /** Default: "user". */
  readonly access?: Route["access"];
  /** Beside 401, 403 and 404. */
  readonly errors?: readonly number[];
};

/** A route that changes something. `make` resolves with whether it was otherwise before, or how many. */
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
