/**
 * Encodes a position in a list as text for URLs: base64url of `<time>.<id>`. Clients treat it as
 * opaque; it contains only data that they have seen.
 *
 * @module
 */
import { isId } from "./id.ts";

/** A position in a list: the time and the id of the last row of a page. */
export interface Place {
  readonly at: number;
  readonly id: string;
}

/** Encodes a position. */
export function encodeCursor({ at, id }: Place): string {
  return btoa(`${at}.${id}`).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Decodes a position. Returns null if the text is invalid. */
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

/**
 * Decodes a position from a time and an id in separate fields, `cursor` and `cursor_id`. Returns
 * null if one is invalid.
 */
export function placeFrom(at: string, id: string): Place | null {
  if (!/^\d{1,15}$/.test(at) || !isId(id)) return null;
  return { at: Number(at), id };
}
