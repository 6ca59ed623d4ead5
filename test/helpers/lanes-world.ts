import type { ControlEntry } from "../../shared/aws/queue.ts";
import type { PageReader, Partition } from "../../shared/index.ts";
import { parseControlMessage } from "../../shared/messages/control.ts";
import type { SliceTime } from "../../shared/producer/slice-time.ts";
import { ProducerWorld, RUN } from "./producer-world.ts";

/** A source whose partitions have these items, two on each page. The cursor is the position in the partition. */
export function partitioned(parts: Readonly<Record<string, readonly unknown[]>>): PageReader & {
  /** Called before each page is read. The page is read when what it returns has resolved. */
  before: (partition: string, from: number) => unknown;
  partitions(): readonly Partition[];
} {
  return {
    before: () => {},
    partitions: () => Object.keys(parts).map((id) => ({ id })),
    async readPage(cursor, { partition }) {
      const from = Number(cursor ?? 0);
      await this.before(String(partition?.id), from);
      const items = parts[String(partition?.id)] ?? [];
      return { items: items.slice(from, from + 2), next: from + 2 < items.length ? from + 2 : undefined };
    },
  };
}

/** A message as the control queue delivers it next, and how often it was delivered. */
interface Delivery {
  readonly entry: ControlEntry;
  receives: number;
}

/** A producer that reads the partitions of its source, and a control queue that delivers each message once. */
export class LanesWorld extends ProducerWorld {
  readonly #seen = new Set<string>();
  #taken = 0;
  readonly pending: Delivery[] = [];

  /** Takes the messages that were sent since. A FIFO queue drops a message whose de-duplication id it has had. */
  take(): void {
    for (const entry of this.sqs.control.slice(this.#taken)) {
      if (!this.#seen.has(entry.deduplicationId)) this.pending.push({ entry, receives: 0 });
      this.#seen.add(entry.deduplicationId);
    }
    this.#taken = this.sqs.control.length;
  }

  /** Delivers the first message for which `which` is true. Returns what the producer did, or `undefined` if there is none. */
  async deliver(which: (group: string) => boolean = () => true, time: Partial<SliceTime> = {}) {
    this.take();
    const delivery = this.pending.find(({ entry }) => which(entry.group));
    if (delivery === undefined) return undefined;
    delivery.receives++;
    const verdict = await this.handle(delivery.entry, delivery.receives, time);
    if (verdict.tag === "done") this.pending.splice(this.pending.indexOf(delivery), 1);
    this.take();
    return { ...verdict, message: parseControlMessage(delivery.entry.body) };
  }

  /** Delivers messages until none is left. */
  async drain(): Promise<void> {
    for (let deliveries = 0; (await this.deliver()) !== undefined; deliveries++) {
      if (deliveries > 200) throw new Error("the control queue does not become empty");
      this.now += 60_000;
    }
  }

  /** Records a success for each message that was sent. */
  async succeed(): Promise<void> {
    for (const { run, partition = 0, page, index, epoch } of this.messages) {
      const items = [{ index, redriveGeneration: 0, failures: 0 }];
      await this.ledger.outcomes.recordSuccesses({ run, partition, page, epoch, items });
    }
  }

  /** Resumes the run, as the command does. */
  async resume(): Promise<void> {
    const { hop } = (await this.runs.reopen(RUN)) ?? (await this.run());
    await this.continueWith(hop + 1);
  }

  async continueWith(hop: number): Promise<void> {
    await this.sqs.queue("https://sqs/control").sendControl({
      body: JSON.stringify({ sluice: 1, type: "continue", workflow: "test", run: RUN, hop }),
      group: RUN,
      deduplicationId: `continue-${RUN}-${hop}`,
    });
  }
}
