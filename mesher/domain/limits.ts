/**
 * The limits of an event: sizes, depths, counts. Long texts are truncated and excess items dropped,
 * because a truncated event is better than no event. Only an invalid event is rejected.
 *
 * @module
 */

/** Maximum number of bytes of a request with one event. A longer request is rejected. */
export const EVENT_BYTES_MAX = 1_048_576;
/** Maximum number of bytes of a request with several events. A longer request is rejected. */
export const BULK_BYTES_MAX = 5_242_880;
/** Maximum number of events in a bulk request. A request with more events is rejected. */
export const BULK_EVENTS_MAX = 100;
/**
 * Maximum number of bytes of an inflated Sentry envelope, attachments included. A longer envelope
 * is rejected.
 */
export const ENVELOPE_BYTES_MAX = 67_108_864;
/** Maximum number of items read from a Sentry envelope. Further items are ignored, and counted. */
export const ENVELOPE_ITEMS_MAX = 1_000;
/** Maximum number of bytes of the header line of an envelope or item. A longer line is rejected. */
export const ENVELOPE_LINE_BYTES_MAX = 65_536;

/** Maximum number of characters of a message. */
export const MESSAGE_CHARS_MAX = 8_192;
/** Maximum number of characters of an exception's value. */
export const VALUE_CHARS_MAX = 8_192;
/** Maximum number of characters of names: types, environments, releases, files, functions. */
export const NAME_CHARS_MAX = 512;
/** Maximum number of characters of a title. */
export const TITLE_CHARS_MAX = 256;
/** Maximum number of characters of a source line. */
export const LINE_CHARS_MAX = 512;
/** Maximum number of source lines before the line that threw, and after it. */
export const CONTEXT_LINES_MAX = 10;

/**
 * Maximum number of exceptions in a chain of causes. In a longer chain the first ones in the list
 * are dropped. The last one, which was actually thrown, is kept.
 */
export const EXCEPTIONS_MAX = 10;
/**
 * Maximum number of frames of one stack. In a longer stack the frames in the middle are dropped.
 */
export const FRAMES_MAX = 100;
/** Maximum number of modules, and of code files. Further modules and files are dropped. */
export const MODULES_MAX = 500;
/** Maximum number of parameters of a log message. Further parameters are dropped. */
export const PARAMS_MAX = 32;
/** Maximum number of breadcrumbs. In a longer list the oldest breadcrumbs are dropped. */
export const BREADCRUMBS_MAX = 100;

/** Maximum number of tags. Further tags are dropped. */
export const TAGS_MAX = 64;
/** Maximum number of characters of a tag's key. */
export const TAG_KEY_CHARS_MAX = 64;
/** Maximum number of characters of a tag's value. */
export const TAG_VALUE_CHARS_MAX = 256;
/** Maximum number of parts of a fingerprint sent by the client. */
export const FINGERPRINT_PARTS_MAX = 16;

/**
 * Maximum nesting of arbitrary JSON (extra, contexts, request, breadcrumb data). Deeper values are
 * replaced by a text.
 */
export const JSON_DEPTH_MAX = 8;
/** Maximum number of entries of one object or array in arbitrary JSON. */
export const JSON_ENTRIES_MAX = 200;
/**
 * Maximum total number of values in one arbitrary JSON object, at all levels of nesting, for
 * example in "extra".
 */
export const JSON_VALUES_MAX = 2_000;
/** Maximum number of characters of a text in arbitrary JSON. */
export const JSON_TEXT_CHARS_MAX = 8_192;

/**
 * Maximum age of an event by its own time: 30 days, in milliseconds. An older time is replaced by
 * the server's time.
 */
export const PAST_MS_MAX = 2_592_000_000;
/**
 * Maximum time in milliseconds by which an event's own time may be in the future. A later time is
 * replaced by the server's time.
 */
export const FUTURE_MS_MAX = 60_000;
