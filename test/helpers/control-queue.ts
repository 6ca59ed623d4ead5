import { continueEntry } from "../../shared/messages/control.ts";
import { type ProducerWorld, RUN } from "./producer-world.ts";

interface Message {
  readonly body: string;
  readonly group: string;
  visibleAt: number;
  receives: number;
}

const FIVE_MINUTES_MILLISECONDS = 300_000;

/**
 * The control queue of a `ProducerWorld`: message groups in order, visibility in whole seconds, de-duplication. It
 * takes the messages that the producer sent, moves the world's clock to the time at which the next one is visible, and
 * has the producer handle it.
 */
export class ControlQueue {
  readonly #world: ProducerWorld;
  readonly #messages: Message[] = [];
  readonly #sentAt = new Map<string, number>();
  #taken = 0;
  /** How long verdicts have hidden messages, in milliseconds, in their order. */
  readonly hidden: number[] = [];

  constructor(world: ProducerWorld) {
    this.#world = world;
  }

  /** Sends a continuation, as the commands of the CLI do. */
  async continueRun(): Promise<void> {
    const { hop } = await this.#world.run();
    this.#add(continueEntry({ workflow: "test", run: RUN, hop: hop + 1 }));
  }

  get groups(): readonly string[] {
    this.#take();
    return this.#messages.map(({ group }) => group);
  }

  /** Handles messages until none is left, or none becomes visible before this time. */
  async workUntil(time = Number.POSITIVE_INFINITY): Promise<void> {
    for (;;) {
      this.#take();
      const heads = this.#messages.filter(
        (message) => this.#messages.find(({ group }) => group === message.group) === message,
      );
      const [next] = heads.toSorted((a, b) => a.visibleAt - b.visibleAt);
      if (next === undefined || next.visibleAt > time) break;
      this.#world.now = Math.max(this.#world.now, next.visibleAt);
      next.receives++;
      const verdict = await this.#world.handle(next, next.receives);
      if (verdict.tag === "done") this.#messages.splice(this.#messages.indexOf(next), 1);
      else {
        const milliseconds = verdict.tag === "wait" ? Math.ceil(verdict.milliseconds / 1_000) * 1_000 : 30_000;
        this.hidden.push(milliseconds);
        next.visibleAt = this.#world.now + milliseconds;
      }
    }
    if (Number.isFinite(time)) this.#world.now = Math.max(this.#world.now, time);
  }

  #take(): void {
    for (const entry of this.#world.sqs.control.slice(this.#taken)) this.#add(entry);
    this.#taken = this.#world.sqs.control.length;
  }

  #add({ body, group, deduplicationId }: { body: string; group: string; deduplicationId: string }): void {
    const { now } = this.#world;
    const before = this.#sentAt.get(deduplicationId);
    if (before !== undefined && now - before < FIVE_MINUTES_MILLISECONDS) return;
    this.#sentAt.set(deduplicationId, now);
    this.#messages.push({ body, group, visibleAt: now, receives: 0 });
  }
}
