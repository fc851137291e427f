/**
 * Delivers alerts to webhooks, Slack, Discord and mail. Each delivery is a separate actor, which
 * retries after pauses, so that no receiver waits for another; undelivered alerts are lost when
 * this node ends.
 *
 *     post ─▶ an actor: attempt ──failed──▶ pause ─▶ attempt … ─▶ given up, logged
 *                          └──delivered──▶ end
 *
 * @module
 */
import { Exit, type Self, type Service, service } from "@firn/firn";
import type { Config } from "../config.ts";
import { unreachable } from "../domain/assert.ts";
import type { Outgoing } from "../domain/notification.ts";
import type { Parts } from "../parts.ts";
import { attemptMail } from "../pipeline/mail.ts";
import { type Attempt, attemptWebhook } from "../pipeline/webhook.ts";

/** The service's name on each node. */
export const WEBHOOKS = "notifier";
/**
 * Pauses between the attempts to deliver, in milliseconds. After the last pause, one more attempt
 * is made.
 */
export const PAUSES_MS: readonly number[] = [1_000, 5_000, 30_000, 120_000];
/** Maximum number of concurrent deliveries. Further deliveries are dropped and logged. */
export const WEBHOOKS_MAX = 64;

/** A message to deliver to a receiver. */
export interface Delivery {
  readonly ruleId: string;
  readonly outgoing: Outgoing;
}

/** The parts of a node that the notifier uses. */
export type WebhookParts = Pick<Parts, "config" | "counters" | "log">;

/** The state of the notifier. */
export interface WebhooksState {
  readonly parts: WebhookParts;
  readonly pausesMs: readonly number[];
  /** Number of deliveries in progress. */
  readonly underWay: number;
}

/** The protocol of the notifier. */
export interface Webhooks {
  state: WebhooksState;
  start: [parts: WebhookParts, pausesMs?: readonly number[]];
  cast: { post(delivery: Delivery): void };
  info: Exit;
}

/** The service that delivers the alerts that a node has fired. */
export const webhooks: Service<Webhooks> = service({
  trapExit: true,
  init(parts, pausesMs = PAUSES_MS) {
    return { parts, pausesMs, underWay: 0 };
  },
  cast: {
    post(state, delivery) {
      const { parts, pausesMs, underWay } = state;
      if (underWay >= WEBHOOKS_MAX) {
        parts.counters.add("webhooks_failed");
        parts.log(
          "warn",
          `notification of rule ${delivery.ruleId}: dropped, ${underWay} are under way`,
        );
        return state;
      }
      this.self.spawnLink(deliver, parts, pausesMs, delivery);
      return { ...state, underWay: underWay + 1 };
    },
  },
  info(state, message) {
    if (!(message instanceof Exit)) return state;
    return { ...state, underWay: state.underWay - 1 };
  },
});

/**
 * Runs in the actor of one delivery: attempts to deliver until it succeeds or has no attempts left.
 */
async function deliver(
  self: Self<never>,
  { config, counters, log }: WebhookParts,
  pausesMs: readonly number[],
  { ruleId, outgoing }: Delivery,
): Promise<void> {
  for (let tried = 0;; tried++) {
    const came = await attemptOutgoing(outgoing, config, self.signal);
    if (came.kind === "delivered") return counters.add("webhooks_delivered");
    const pauseMs = came.again ? pausesMs[tried] : undefined;
    const next = pauseMs === undefined ? "given up" : `again in ${pauseMs / 1000} s`;
    log("warn", `notification of rule ${ruleId}: ${came.why}; ${next}`);
    if (pauseMs === undefined) return counters.add("webhooks_failed");
    await self.receive({ timeout: pauseMs });
  }
}

/** Makes one attempt to deliver. Never rejects. */
export function attemptOutgoing(
  outgoing: Outgoing,
  { webhookAllow, mail }: Pick<Config, "webhookAllow" | "mail">,
  signal: AbortSignal,
): Promise<Attempt> {
  switch (outgoing.kind) {
    case "post":
      return attemptWebhook(outgoing.url, outgoing.json, { allowed: webhookAllow, signal });
    case "mail":
      return attemptMail(mail, outgoing);
    default:
      return unreachable(outgoing);
  }
}
