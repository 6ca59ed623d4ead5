import type { VirtualClock } from "./virtual-clock.ts";

/** In which order the queue delivers its messages. SQS promises none, and is often near to the order in which they were sent. */
export type Delivery = "ordered" | "random";

interface Waiter {
  readonly most: number;
  readonly receive: (messages: readonly number[]) => void;
}

/** The queue of the tasks, in simulated time. A message is the number of its item. */
export class ModelledQueue {
  readonly #clock: VirtualClock;
  readonly #delivery: Delivery;
  /** The messages from `#first` on are visible. */
  #messages: number[] = [];
  #first = 0;
  readonly #waiters = new Set<Waiter>();
  /** All messages that were sent and not deleted. */
  backlog = 0;
  /** Called after a message was deleted. */
  onDeleted = (): void => {};

  constructor(clock: VirtualClock, delivery: Delivery) {
    this.#clock = clock;
    this.#delivery = delivery;
  }

  /** How many messages are visible. */
  get visible(): number {
    return this.#messages.length - this.#first;
  }

  send(messages: readonly number[]): void {
    this.backlog += messages.length;
    for (const message of messages) this.#messages.push(message);
    this.#offer();
  }

  /** Makes a message that was received visible again, at a time. */
  returnAt(time: number, message: number): void {
    this.#clock.at(time, () => {
      this.#messages.push(message);
      this.#offer();
    });
  }

  delete(messages: number): void {
    this.backlog -= messages;
    this.onDeleted();
  }

  /**
   * Receives messages, as soon as there are any.
   *
   * @param milliseconds How long the request waits for a message. Infinite: until there is one.
   * @param receive Called with the messages, or with none when the time is over.
   */
  receive(most: number, milliseconds: number, receive: Waiter["receive"]): void {
    if (this.visible > 0 || milliseconds === 0) {
      receive(this.#take(most));
      return;
    }
    const waiter = { most, receive };
    this.#waiters.add(waiter);
    if (milliseconds === Number.POSITIVE_INFINITY) return;
    this.#clock.at(this.#clock.now + milliseconds, () => {
      if (this.#waiters.delete(waiter)) receive([]);
    });
  }

  #offer(): void {
    for (const waiter of [...this.#waiters]) {
      if (this.visible === 0) return;
      this.#waiters.delete(waiter);
      waiter.receive(this.#take(waiter.most));
    }
  }

  #take(most: number): readonly number[] {
    const count = Math.min(most, this.visible);
    const found = Array.from({ length: count }, () => this.#takeOne());
    if (this.#first > 1_000 && this.#first > this.#messages.length / 2) {
      this.#messages = this.#messages.slice(this.#first);
      this.#first = 0;
    }
    return found;
  }

  #takeOne(): number {
    const first = this.#messages[this.#first] as number;
    const at =
      this.#delivery === "ordered" ? this.#first : this.#first + Math.floor(this.#clock.random() * this.visible);
    const found = this.#messages[at] as number;
    this.#messages[at] = first;
    this.#first++;
    return found;
  }
}
