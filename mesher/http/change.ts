/**
 * The routes that change one thing: a POST, by a person, that answers whether anything was changed.
 *
 * @module
 */
import type { Asked, Reply, Route } from "./route.ts";

/** What such a route says of itself. */
type Row = Pick<Route, "path" | "name" | "about" | "body"> & {
  /** Beside 401, 403 and 404. */
  readonly errors?: readonly number[];
};

/** A route that changes one thing. `make` resolves with whether it was otherwise before. */
export function changeRoute(
  { errors = [], ...row }: Row,
  make: (asked: Asked) => Promise<boolean>,
): Route {
  return {
    ...row,
    method: "POST",
    access: "user",
    ok: 200,
    errors: [401, 403, 404, ...errors],
    gives: '{"status":"ok","affected"}',
    async handle(asked): Promise<Reply> {
      return { json: { status: "ok", affected: await make(asked) ? 1 : 0 } };
    },
  };
}
