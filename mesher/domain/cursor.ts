/**
 * A place in a list as a text for addresses: base64url of `<time>.<id>`. Clients treat it as opaque; it
 * holds nothing that they have not seen.
 *
 * @module
 */
import { isId } from "./id.ts";

/** The time and id of the last row that was seen. */
export interface Place {
  readonly at: number;
  readonly id: string;
}

/** The place as text. */
export function encodeCursor({ at, id }: Place): string {
  return btoa(`${at}.${id}`).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The place that a text means, or null. */
export function decodeCursor(text: string): Place | null {
  if (text.length > 80 || !/^[\w-]+$/.test(text)) return null;
  let plain: string;
  try {
    plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return null;
  }
  return placeFrom(plain.slice(0, plain.indexOf(".")), plain.slice(plain.indexOf(".") + 1));
}

/** The place of a time and an id that came apart, as `cursor` and `cursor_id`; or null. */
export function placeFrom(at: string, id: string): Place | null {
  if (!/^\d{1,15}$/.test(at) || !isId(id)) return null;
  return { at: Number(at), id };
}
