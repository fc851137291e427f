/**
 * Defines the event that all steps after parsing use.
 *
 * `validate.ts` creates it from Mesher's own JSON, and `sentry.ts` from that of a Sentry SDK; no
 * later step reads the raw input. An event is plain data: it can be cloned, sent to another node,
 * and converted to JSON.
 *
 * @module
 */

/** The levels, least severe first. */
export const LEVELS = ["debug", "info", "warning", "error", "fatal"] as const;

/** The severity of an event. */
export type Level = typeof LEVELS[number];

/** Returns whether `text` is one of the levels. */
export function isLevel(text: unknown): text is Level {
  return (LEVELS as readonly unknown[]).includes(text);
}

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/** One frame of a stack. */
export interface Frame {
  readonly file: string | null;
  readonly function: string | null;
  readonly module: string | null;
  readonly line: number | null;
  readonly column: number | null;
  /** Whether the frame belongs to the application and not to a library; null if unknown. */
  readonly inApp: boolean | null;
  /** The source line of the frame; null if unknown. */
  readonly context: string | null;
  readonly contextBefore: readonly string[];
  readonly contextAfter: readonly string[];
  /** The library, jar or assembly that contains the code. */
  readonly package?: string;
  /** The file as a URL or absolute path, if it differs from `file`. */
  readonly absPath?: string;
  /** Local variables, as sent by the client. */
  readonly vars?: JsonObject;
  /** The original frame, if a source map has replaced it. */
  readonly minified?: MinifiedFrame;
}

/** A frame of minified code. */
export interface MinifiedFrame {
  readonly file: string | null;
  readonly function: string | null;
  readonly line: number | null;
  readonly column: number | null;
}

/** An exception of an event. */
export interface Exception {
  readonly type: string;
  readonly value: string;
  readonly module: string | null;
  /** Whether the program handled the exception; null if unknown. */
  readonly handled: boolean | null;
  /** The mechanism that caught the exception, for example "onerror" or "signalhandler". */
  readonly mechanism?: string;
  /** Whether the type names the mechanism and not the failure, for example SIGSEGV. */
  readonly synthetic?: true;
  /** Whether the exception is a group of exceptions, whose members are in the same list. */
  readonly group?: true;
  /**
   * The frames of the stack, outermost call first. The last frame threw the exception, as in
   * Sentry.
   */
  readonly frames: readonly Frame[];
}

/** An action of the program before the event. */
export interface Breadcrumb {
  /** The time of the action, in milliseconds since the epoch. Null if unknown. */
  readonly timestamp: number | null;
  readonly type: string | null;
  readonly category: string | null;
  readonly level: Level;
  readonly message: string | null;
  readonly data: JsonObject;
}

/** The user who was affected by an event. */
export interface EventUser {
  readonly id: string | null;
  readonly email: string | null;
  readonly username: string | null;
  readonly ip: string | null;
}

/** The SDK that sent the event. */
export interface Sdk {
  readonly name: string;
  readonly version: string;
}

/** A code file and the identifier of its debug information, as sent by the client. */
export interface DebugImage {
  /** A UUID, in lower case. */
  readonly debugId: string;
  /** The path of the code file. */
  readonly file: string;
}

/** One event, validated and truncated to the limits of `limits.ts`. */
export interface MesherEvent {
  /**
   * The id, a lower-case UUID with dashes. The client chooses it, so that an event that is sent
   * twice is stored once.
   */
  readonly id: string;
  /** The time of the event by the client's clock, in milliseconds since the epoch. */
  readonly timestamp: number;
  readonly level: Level;
  /** The message. May be empty if there is an exception. */
  readonly message: string;
  /** The template of the message, before parameters are inserted. */
  readonly template?: string;
  /** The parameters of the message, by position or by name. */
  readonly params?: readonly Json[] | JsonObject;
  /** The chain of causes. The exception that was finally thrown is the last. */
  readonly exceptions: readonly Exception[];
  readonly breadcrumbs: readonly Breadcrumb[];
  readonly tags: Readonly<Record<string, string>>;
  readonly user: EventUser | null;
  readonly environment: string | null;
  readonly release: string | null;
  readonly platform: string | null;
  readonly serverName: string | null;
  readonly transaction: string | null;
  readonly logger: string | null;
  readonly sdk: Sdk | null;
  /**
   * The grouping that the client has chosen; if it is null, `fingerprint.ts` determines the
   * grouping.
   */
  readonly fingerprint: readonly string[] | null;
  readonly extra: JsonObject;
  readonly contexts: JsonObject;
  /** The HTTP request during which the event occurred. */
  readonly request: JsonObject | null;
  /** The identifier of the build, if a release has several builds. */
  readonly dist?: string;
  /** Installed packages and their versions. */
  readonly modules?: Readonly<Record<string, string>>;
  readonly images?: readonly DebugImage[];
}
