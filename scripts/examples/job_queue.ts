/**
 * A durable job queue: workers on all nodes send mails, four at a time on each node, with up to
 * three retries. Jobs survive the loss of any node, because the queue then moves to another node
 * with its singleton.
 */
import { type Node, service } from "@firn/firn";
import { pool, type PoolKind, type Store } from "@firn/firn/otp";

export interface Mail {
  readonly to: string;
  readonly text: string;
}

export function mailPool(
  store: Store,
  send: (id: string, mail: Mail) => Promise<void>,
): PoolKind<[Mail], void> {
  return pool({
    name: "mail",
    worker: (job, mail: Mail) => send(job.id, mail),
    perNode: 4,
    queue: { max: 100_000 },
    retry: { times: 3, backoff: { base: 1_000 } },
    timeout: 30_000,
    store,
  });
}

/**
 * Starts the queue on a node; every node calls this. The returned function resolves to the id of
 * the job when a mail is stored.
 */
export async function mailQueue(
  node: Node,
  store: Store,
  send: (id: string, mail: Mail) => Promise<void>,
): Promise<(mail: Mail) => Promise<string>> {
  const mails = mailPool(store, send);
  node.expose(mails);
  const queue = service<
    { state: Awaited<ReturnType<typeof mails.start>>; call: { add(mail: Mail): string } }
  >({
    async init() {
      return await mails.start(this.self);
    },
    call: {
      async add(jobs, mail) {
        const job = jobs.add(mail);
        await job.accepted;
        return [job.id, jobs];
      },
    },
  });
  await node.global.singleton("mail queue", { id: "queue", start: (self) => queue.start(self) });
  return (mail) => queue.call(queue.at(node.global, "mail queue")).add(mail);
}
