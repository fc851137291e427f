/**
 * WebSockets for outgoing live streams and incoming events.
 *
 *     /stream/projects/:id, /ws/stream/projects/:id   users with a session see a project's events
 *     /ingest, /ws/ingest                             clients with a key send events
 *
 * Messages of a stream's client: {"type":"subscribe","filters":{"level","environment"}}.
 *
 * @module
 */
import type { Address, Connection, ServeOptions, UpgradeAnswer } from "@firn/firn";
import { isLevel } from "../domain/event.ts";
import { BULK_BYTES_MAX, EVENT_BYTES_MAX } from "../domain/limits.ts";
import { allows } from "../domain/token_scope.ts";
import { objectOf } from "../domain/trim.ts";
import { validateEvent } from "../domain/validate.ts";
import { basePathOf, withoutBase } from "../http/base_path.ts";
import { isSecure } from "../http/client.ts";
import { keyOf, personOf, projectOf } from "../http/auth.ts";
import { HttpError } from "../http/http_error.ts";
import { jsonResponse, reasonOf } from "../http/router.ts";
import { accepted, mustHaveRoom } from "../http/routes/ingest.ts";
import { findProject } from "../http/scope.ts";
import type { Mesher } from "../mesher.ts";
import { eventRoom, projectRoom, type StreamFilter } from "../pipeline/live.ts";
import type { Project } from "../storage/projects.ts";
import { Watch } from "./watch.ts";

/** The role of a connection: it watches a project, or it sends events. */
export type Role =
  | {
    readonly kind: "stream";
    readonly project: Project;
    room: string;
    /**
     * The hash of the secret of the session or token. The connection is closed when the session or
     * token is no longer valid.
     */
    readonly secretHash: string;
  }
  | {
    readonly kind: "ingest";
    /**
     * The key, which is checked again for each event, because it may be revoked in the meantime.
     */
    readonly key: string;
  };

type Socket = Connection<Role>;
type Handlers = Required<Pick<ServeOptions<Role>, "upgrade" | "open" | "message" | "close">>;

/** Maximum number of bytes queued for the client of a stream. Further events are not sent to it. */
const STREAM_BYTES_MAX = 1_048_576;

/** Returns the handlers of WebSockets, for a server of a node. */
export function socketHandlers(mesher: Mesher): Handlers {
  const watch = new Watch(mesher.storage);
  return {
    async upgrade(request, remote): Promise<UpgradeAnswer<Role>> {
      try {
        return await admit(mesher, request, remote);
      } catch (error) {
        if (error instanceof HttpError) return jsonResponse(error.status, { error: error.message });
        throw error;
      }
    },
    open(conn: Socket): void {
      const role = conn.data;
      if (role.kind !== "stream") return;
      watch.add(conn, { secretHash: role.secretHash, projectId: role.project.id });
      mesher.live.clients++;
      mesher.live.enter(conn as never, projectRoom(role.project.id));
      mesher.live.enter(conn as never, role.room);
    },
    message(conn: Socket, data: string | Uint8Array): unknown {
      const text = typeof data === "string" ? data : new TextDecoder().decode(data);
      return conn.data.kind === "stream"
        ? subscribe(mesher, conn, conn.data, text)
        : ingest(mesher, conn, conn.data, text);
    },
    close(conn: Socket): void {
      const role = conn.data;
      if (role.kind !== "stream") return;
      watch.remove(conn);
      mesher.live.clients--;
      mesher.live.leave(conn as never, projectRoom(role.project.id));
      mesher.live.leave(conn as never, role.room);
    },
  };
}

/**
 * Decides whether a client may connect, and what it may do. Throws a response or an error to reject
 * it.
 */
async function admit(
  mesher: Mesher,
  request: Request,
  remote: Address,
): Promise<UpgradeAnswer<Role>> {
  const url = new URL(request.url);
  const path = withoutBase(url.pathname, basePathOf(mesher.config)).replace(/\/$/, "");
  const [, wanted] = /^(?:\/ws)?\/stream\/projects\/([^/]+)$/.exec(path) ?? [];
  if (wanted !== undefined) {
    const { memberships, secretHash, session } = await personOf({
      request,
      url,
      isSecure: isSecure(request.headers, remote.hostname, mesher.config),
    }, mesher);
    if (!allows(session.scopes, "read")) {
      throw new HttpError(403, "this token lacks the scope read");
    }
    const { project } = await findProject(mesher.storage, memberships, wanted);
    return {
      data: { kind: "stream", project, room: eventRoom(project.id, {}), secretHash },
      backpressure: { backpressureLimit: STREAM_BYTES_MAX, backpressurePolicy: "drop" },
    };
  }
  if (/^(?:\/ws)?\/ingest$/.test(path)) {
    await projectOf(request.headers, url, mesher.keys);
    return { data: { kind: "ingest", key: keyOf(request.headers, url)! } };
  }
  throw new HttpError(404, "not found");
}

/** Handles a client's change of its stream's filter. */
function subscribe(
  mesher: Mesher,
  conn: Socket,
  role: Extract<Role, { kind: "stream" }>,
  text: string,
): void {
  const input = text.length > 4_096 ? null : parsed(text);
  const filters = objectOf(objectOf(input)?.["filters"] ?? {});
  if (objectOf(input)?.["type"] !== "subscribe" || filters === null) {
    return void send(conn, { error: 'send {"type":"subscribe","filters":{…}}' });
  }
  const { level, environment } = filters;
  if (level !== undefined && level !== null && level !== "" && !isLevel(level)) {
    return void send(conn, { error: "level is not one" });
  }
  const filter: StreamFilter = {
    level: typeof level === "string" && level !== "" ? level : undefined,
    environment: typeof environment === "string" && environment !== "" ? environment : undefined,
  };
  const room = eventRoom(role.project.id, filter);
  if (room !== role.room) {
    mesher.live.enter(conn as never, room);
    mesher.live.leave(conn as never, role.room);
    role.room = room;
  }
  send(conn, { type: "filters_updated", filters: filter });
}

/** Handles an event that a client sends. */
async function ingest(
  mesher: Mesher,
  conn: Socket,
  role: Extract<Role, { kind: "ingest" }>,
  text: string,
): Promise<void> {
  try {
    if (!mesher.isOpen) throw new HttpError(503, "the node is stopping");
    if (isLongerThan(text, EVENT_BYTES_MAX)) throw new HttpError(400, "payload too large");
    const project = await mesher.keys.project(role.key);
    if (project === null) throw new HttpError(401, "unauthorized");
    const input = parsed(text);
    if (input === undefined) throw new HttpError(400, "invalid json");
    mustHaveRoom({ mesher }, 1);
    const valid = validateEvent(input, mesher.intake.moment());
    if (!valid.ok) {
      mesher.counters.add("refused_invalid");
      throw new HttpError(400, valid.reason);
    }
    accepted(await mesher.intake.take(project, [valid.event]));
    send(conn, { status: "accepted", id: valid.event.id });
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    mesher.rejections.add(reasonOf(error, mesher.isOpen), null, error.message);
    const wait = error.headers["retry-after"];
    send(conn, { error: error.message, ...(wait === undefined ? {} : { retry_after: +wait }) });
    if (error.status === 401) conn.close(1008, "unauthorized");
  }
}

/**
 * Returns whether a text has more than this many bytes. A character has at most three bytes, so
 * only long texts are measured.
 */
function isLongerThan(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function send(conn: Socket, message: unknown): void {
  conn.send(JSON.stringify(message));
}

/** Maximum length of a message on a socket. A longer message closes the socket. */
export const MESSAGE_BYTES_MAX: number = BULK_BYTES_MAX;
