/**
 * The demo's socket protocol: JSON texts on the path `/ws`.
 *
 * | the client sends                          | recipients and message                                    |
 * | ----------------------------------------- | --------------------------------------------------------- |
 * | `{"type":"join","room"}`                  | the client: `{"type":"joined","room"}`                    |
 * | `{"type":"leave","room"}`                 | the client: `{"type":"left","room"}`                      |
 * | `{"type":"broadcast","room","data"}`      | the room: `{"type":"message","room","data","from"}`       |
 * | `{"type":"broadcastFrom","room","data"}`  | the room without the sender: the same                     |
 * | anything else                             | the client: `{"type":"error","message"}`                  |
 *
 * `room` is a text of 1 to 255 bytes, `data` any JSON value, `from` the name of the node that the
 * sender is connected to. The sender of a broadcast need not be in the room. A request over a limit
 * is answered with an error too; the connection stays open.
 *
 * Another request is for pages that show the cluster. `{"type":"watch"}` is answered, at once and
 * whenever a node connects or disconnects, with
 *
 *     {"type":"status","node","runtime","pid","nodes":[{"name","page","runtime","up","reason"?}]}
 *
 * where `nodes` are all nodes of the demo in order, `up` is this node's view, and `reason` is why a
 * node was lost.
 *
 * @module
 */

/** Maximum number of characters of a message. A longer one is answered with an error. */
export const MESSAGE_CHARS_MAX = 65_536;

/** Maximum number of UTF-8 bytes of a room name. A longer one is answered with an error. */
export const ROOM_BYTES_MAX = 255;

/** Maximum nesting of lists and objects in `data`. Deeper ones are answered with an error. */
export const DATA_DEPTH_MAX = 32;

/** The requests of a client. */
export const REQUEST_TYPES = ["join", "leave", "broadcast", "broadcastFrom", "watch"] as const;

/** A request of a client. */
export type ClientMessage =
  | { readonly type: "join" | "leave"; readonly room: string }
  | { readonly type: "broadcast" | "broadcastFrom"; readonly room: string; readonly data: unknown }
  | { readonly type: "watch" };

/** A node as seen by another. */
export interface NodeStatus {
  readonly name: string;
  readonly page: string;
  readonly runtime: "deno" | "bun";
  readonly up: boolean;
  /** The reason why the node was last lost. */
  readonly reason?: string;
}

/** A message to a client. */
export type ServerMessage =
  | { readonly type: "joined" | "left"; readonly room: string }
  | {
    readonly type: "message";
    readonly room: string;
    readonly data: unknown;
    readonly from: string;
  }
  | {
    readonly type: "status";
    readonly node: string;
    readonly runtime: "deno" | "bun";
    readonly pid: number;
    readonly nodes: readonly NodeStatus[];
  }
  | { readonly type: "error"; readonly message: string };

/** The result of parsing a message. */
export type Parsed =
  | { readonly ok: true; readonly message: ClientMessage }
  | { readonly ok: false; readonly why: string };

/** Parses a message of a client. Never throws. */
export function parseMessage(data: string | Uint8Array): Parsed {
  if (typeof data !== "string") {
    return wrong("binary messages are not supported: send JSON as text");
  }
  if (data.length > MESSAGE_CHARS_MAX) {
    return wrong(
      `a message of ${data.length} characters is too long: the most is ${MESSAGE_CHARS_MAX}`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return wrong('this is not JSON: send texts like {"type":"join","room":"lobby"}');
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return wrong('this is no object: send texts like {"type":"join","room":"lobby"}');
  }
  return parseObject(value as Record<string, unknown>);
}

function parseObject(value: Record<string, unknown>): Parsed {
  const type = REQUEST_TYPES.find((known) => known === value["type"]);
  if (type === undefined) {
    return wrong(`type is ${shown(value["type"])}: use one of ${REQUEST_TYPES.join(", ")}`);
  }
  if (type === "watch") return { ok: true, message: { type } };
  const room = value["room"];
  if (!isRoom(room)) {
    return wrong(`room is ${shown(room)}: use a text of 1 to ${ROOM_BYTES_MAX} bytes of UTF-8`);
  }
  if (type === "join" || type === "leave") return { ok: true, message: { type, room } };
  if (!Object.hasOwn(value, "data")) return wrong("data is missing: use any JSON value");
  const data = value["data"];
  if (isDeeperThan(data, DATA_DEPTH_MAX)) {
    return wrong(`data is nested too deep: the most is ${DATA_DEPTH_MAX} levels`);
  }
  return { ok: true, message: { type, room, data } };
}

function isRoom(room: unknown): room is string {
  if (typeof room !== "string" || room === "" || !room.isWellFormed()) return false;
  return new TextEncoder().encode(room).length <= ROOM_BYTES_MAX;
}

/** Returns whether a value is nested deeper than `depth`. */
function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeperThan(inner, depth - 1));
}

function shown(value: unknown): string {
  if (value === undefined) return "missing";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

function wrong(why: string): Parsed {
  return { ok: false, why };
}
