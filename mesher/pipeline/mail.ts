/**
 * Sends mail by SMTP with nodemailer, which is loaded when the first mail is sent.
 *
 * @module
 */
import type { Attempt } from "./webhook.ts";

/** The settings for sending mail. */
export interface MailConfig {
  /** `smtp://user:password@host:587`, or `smtps://…`. */
  readonly url: string;
  /** The address of the sender. */
  readonly from: string;
}

/** A mail. */
export interface Mail {
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
}

/** Time limit for the answer of a mail server, in milliseconds. */
export const MAIL_MS_MAX = 15_000;

/**
 * Tries once to send a mail. Never rejects. The text of a failure contains no address or password.
 */
export async function attemptMail(config: MailConfig | null, mail: Mail): Promise<Attempt> {
  if (config === null) return { kind: "failed", why: "MESHER_SMTP_URL is not set", again: false };
  try {
    const { createTransport } = await import("nodemailer@10.6.0");
    const transport = createTransport(config.url, {
      connectionTimeout: MAIL_MS_MAX,
      greetingTimeout: MAIL_MS_MAX,
      socketTimeout: MAIL_MS_MAX,
      dnsTimeout: MAIL_MS_MAX,
      // A mail consists of text only, so nodemailer must not open files or URLs.
      disableFileAccess: true,
      disableUrlAccess: true,
    } as never);
    try {
      await transport.sendMail({
        from: config.from,
        to: [...mail.to],
        subject: mail.subject,
        text: mail.text,
      });
      return { kind: "delivered" };
    } finally {
      transport.close();
    }
  } catch (error) {
    const { code, responseCode } = (error ?? {}) as { code?: unknown; responseCode?: unknown };
    const status = typeof responseCode === "number" ? ` (${responseCode})` : "";
    const word = typeof code === "string" && /^\w{1,40}$/.test(code) ? code : "error";
    // Retrying would not help if the server has rejected the password or an address.
    const again = !(typeof responseCode === "number" && responseCode >= 500);
    return { kind: "failed", why: `SMTP: ${word}${status}`, again };
  }
}
