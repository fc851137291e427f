/**
 * Formats the message to the receiver of an alert: a link, a level and a text, in the format of
 * each channel. Deterministic.
 *
 * @module
 */
import type { Action } from "./alert.ts";
import { unreachable } from "./assert.ts";
import type { Level } from "./event.ts";
import { cut } from "./trim.ts";

/** An alert as it is sent. */
export interface Notification {
  readonly rule: string;
  readonly project: string;
  readonly level: Level;
  /** A sentence that describes why the alert was fired. */
  readonly text: string;
  /** The URL of the issue on Mesher's page; null if the page's URL is not known. */
  readonly link: string | null;
  /** Further fields for a generic webhook. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** The message to send, by the kind of receiver. */
export type Outgoing =
  | { readonly kind: "post"; readonly url: string; readonly json: string }
  | {
    readonly kind: "mail";
    readonly to: readonly string[];
    readonly subject: string;
    readonly text: string;
  };

const COLOURS: Readonly<Record<Level, number>> = {
  debug: 0x66707d,
  info: 0x1d6fae,
  warning: 0xe2a84c,
  error: 0xb02727,
  fatal: 0x96206e,
};
/** Maximum number of characters of a message on Discord. */
const DISCORD_CHARS_MAX = 2_000;

/** Returns the message for an action; null for an action that only notifies users of the page. */
export function outgoingOf(action: Action, note: Notification): Outgoing | null {
  const { rule, project, level, text, link } = note;
  switch (action.kind) {
    case "websocket":
      return null;
    case "webhook": {
      const json = JSON.stringify({ ...note.json, level, text, link, project });
      return { kind: "post", url: action.url, json };
    }
    case "slack": {
      // Escapes Slack's markup, so that the text of an event contains no links and mentions.
      const plain = (words: string): string =>
        words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
      const title = link === null ? plain(text) : `<${link}|${plain(text).replaceAll("|", "¦")}>`;
      const json = {
        text: plain(`[${level}] ${project}: ${text}`),
        attachments: [{
          color: `#${COLOURS[level].toString(16).padStart(6, "0")}`,
          text: `*${level}* ${title}`,
          footer: plain(`${project} · ${rule}`),
          mrkdwn_in: ["text"],
        }],
      };
      return { kind: "post", url: action.url, json: JSON.stringify(json) };
    }
    case "discord": {
      const json = {
        content: "",
        allowed_mentions: { parse: [] },
        embeds: [{
          title: cut(`[${level}] ${text}`, 256),
          ...(link === null ? {} : { url: link }),
          description: cut(text, DISCORD_CHARS_MAX),
          color: COLOURS[level],
          footer: { text: cut(`${project} · ${rule}`, 256) },
        }],
      };
      return { kind: "post", url: action.url, json: JSON.stringify(json) };
    }
    case "email": {
      const lines = [text, "", `Level: ${level}`, `Project: ${project}`, `Rule: ${rule}`];
      return {
        kind: "mail",
        to: action.to,
        subject: cut(`[${level}] ${project}: ${text}`.replace(/\s+/g, " "), 200),
        text: [...lines, ...(link === null ? [] : ["", link])].join("\n"),
      };
    }
    default:
      return unreachable(action);
  }
}
