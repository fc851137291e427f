/**
 * The limits of an event: sizes, depths, counts. Long texts are cut and further items dropped, because a cut event
 * is better than none; only an invalid event is rejected.
 *
 * @module
 */

/** A request with one event may have this many bytes; more is refused. */
export const EVENT_BYTES_MAX = 1_048_576;
/** A request with several; more is refused. */
export const BULK_BYTES_MAX = 5_242_880;
/** A bulk request may hold this many events; more is refused. */
export const BULK_EVENTS_MAX = 100;
/** Bytes of a Sentry envelope, inflated, attachments included; more is refused. */
export const ENVELOPE_BYTES_MAX = 67_108_864;
/** Items of a Sentry envelope that are looked at; the rest is ignored, and counted. */
export const ENVELOPE_ITEMS_MAX = 1_000;
/** Bytes of the header line of an envelope or of an item; more is refused. */
export const ENVELOPE_LINE_BYTES_MAX = 65_536;

/** Characters of a message. */
export const MESSAGE_CHARS_MAX = 8_192;
/** Characters of an exception's value. */
export const VALUE_CHARS_MAX = 8_192;
/** Characters of names: types, environments, releases, files, functions. */
export const NAME_CHARS_MAX = 512;
/** Characters of a title. */
export const TITLE_CHARS_MAX = 256;
/** Characters of a line of source. */
export const LINE_CHARS_MAX = 512;
/** Lines of source on either side. */
export const CONTEXT_LINES_MAX = 10;

/** Exceptions of one chain: the first are dropped, the one finally thrown is kept. */
export const EXCEPTIONS_MAX = 10;
/** Frames of one stack: those in the middle are dropped. */
export const FRAMES_MAX = 100;
/** Modules, and images of code: the rest is dropped. */
export const MODULES_MAX = 500;
/** Parameters of a log message: the rest is dropped. */
export const PARAMS_MAX = 32;
/** Breadcrumbs: the oldest are dropped. */
export const BREADCRUMBS_MAX = 100;

/** Tags: the rest is dropped. */
export const TAGS_MAX = 64;
/** Characters of a tag's key. */
export const TAG_KEY_CHARS_MAX = 64;
/** Characters of a tag's value. */
export const TAG_VALUE_CHARS_MAX = 256;
/** Parts of a fingerprint of the client's own. */
export const FINGERPRINT_PARTS_MAX = 16;

/** Levels of free JSON (extra, contexts, request, breadcrumb data): deeper is replaced by a text. */
export const JSON_DEPTH_MAX = 8;
/** Entries of one object or array of it. */
export const JSON_ENTRIES_MAX = 200;
/** Values of one whole free part. */
export const JSON_VALUES_MAX = 2_000;
/** Characters of a text in it. */
export const JSON_TEXT_CHARS_MAX = 8_192;

/** An event's own time may lie this far before the present; else it gets the present. */
export const PAST_MS_MAX = 2_592_000_000;
/** And this far after it. */
export const FUTURE_MS_MAX = 60_000;
