/**
 * The event: what ingest accepts, whatever it came in as, and what every later step works on.
 *
 * `validate.ts` makes one of our own JSON, `sentry.ts` of a Sentry SDK's; after that nothing in
 * Mesher looks at raw input again. All of it is plain data that survives `structuredClone`, a send to
 * another node and JSON.
 *
 * @module
 */

/** The levels, mildest first. */
export const LEVELS = ["debug", "info", "warning", "error", "fatal"] as const;

/** How bad an event is. */
export type Level = typeof LEVELS[number];

/** Whether `text` is one of the levels. */
export function isLevel(text: unknown): text is Level {
  return (LEVELS as readonly unknown[]).includes(text);
}

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/** One line of a stack. */
export interface Frame {
  readonly file: string | null;
  readonly function: string | null;
  readonly module: string | null;
  readonly line: number | null;
  readonly column: number | null;
  /** Whether the line is of the application, not of a library; null: unknown. */
  readonly inApp: boolean | null;
  /** The source line itself, and those around it. */
  readonly context: string | null;
  readonly contextBefore: readonly string[];
  readonly contextAfter: readonly string[];
  /** The library, jar or assembly that holds the code. */
  readonly package?: string;
  /** The file as a URL or absolute path, where it differs from `file`. */
  readonly absPath?: string;
  /** Local variables, as the client wrote them. */
  readonly vars?: JsonObject;
  /** The frame as it was sent, if a source map has replaced it. */
  readonly minified?: MinifiedFrame;
}

/** A frame of minified code. */
export interface MinifiedFrame {
  readonly file: string | null;
  readonly function: string | null;
  readonly line: number | null;
  readonly column: number | null;
}

/** One exception. */
export interface Exception {
  readonly type: string;
  readonly value: string;
  readonly module: string | null;
  /** Whether the program caught it; null: unknown. */
  readonly handled: boolean | null;
  /** How it was caught, for example "onerror" or "signalhandler". */
  readonly mechanism?: string;
  /** Whether the type is the way in which it was reported, not the failure, for example SIGSEGV. */
  readonly synthetic?: true;
  /** Outermost call first, the line that threw last, as Sentry has it. */
  readonly frames: readonly Frame[];
}

/** Something that happened before. */
export interface Breadcrumb {
  /** Milliseconds since the epoch. */
  readonly timestamp: number | null;
  readonly type: string | null;
  readonly category: string | null;
  readonly level: Level;
  readonly message: string | null;
  readonly data: JsonObject;
}

/** The user to whom it happened. */
export interface EventUser {
  readonly id: string | null;
  readonly email: string | null;
  readonly username: string | null;
  readonly ip: string | null;
}

/** What sent it. */
export interface Sdk {
  readonly name: string;
  readonly version: string;
}

/** A file of code or its debug information, as the client names it. */
export interface DebugImage {
  /** A UUID, in lower case. */
  readonly debugId: string;
  /** The file of code. */
  readonly file: string;
}

/** One event, checked and cut to the limits of `limits.ts`. */
export interface MesherEvent {
  /** A lower-case UUID with dashes. The client's own, so that sending twice stores once. */
  readonly id: string;
  /** When it happened, by the client's clock, in milliseconds since the epoch. */
  readonly timestamp: number;
  readonly level: Level;
  /** May be empty when there is an exception. */
  readonly message: string;
  /** The log message before its parameters were put in. */
  readonly template?: string;
  /** The parameters, by place or by name. */
  readonly params?: readonly Json[] | JsonObject;
  /** The chain of causes, the one finally thrown last. */
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
  /** The client's own grouping; null: by the rules of `fingerprint.ts`. */
  readonly fingerprint: readonly string[] | null;
  readonly extra: JsonObject;
  readonly contexts: JsonObject;
  /** The HTTP request during which it happened. */
  readonly request: JsonObject | null;
  /** Distinguishes builds of one release. */
  readonly dist?: string;
  /** Installed packages and their versions. */
  readonly modules?: Readonly<Record<string, string>>;
  readonly images?: readonly DebugImage[];
}
