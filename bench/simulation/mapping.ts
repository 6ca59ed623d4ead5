import { Environment, type EnvironmentOptions } from "./environment.ts";
import type { Events } from "./events.ts";
import type { SimulatedQueue } from "./queue.ts";
import type { Random } from "./random.ts";

/** A mapping polls with 5 batches at first. */
const FIRST_POLLERS = 5;
/** It adds up to 300 in a minute. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html */
const MORE_PER_SECOND = 5;
const COLD_START_MILLISECONDS = 200;
const EMPTY_POLL_MILLISECONDS = 20_000;
const BATCH = 10;

/** An event source mapping: it polls, and invokes an environment for each batch. */
export class Mapping {
  readonly #events: Events;
  readonly #random: Random;
  readonly #queue: SimulatedQueue;
  readonly #most: number;
  readonly #create: () => Environment;
  /** The most recently used last. */
  readonly environments: Environment[] = [];
  #pollers = 0;
  #waiting = 0;
  /** Pollers that end after their poll. */
  #surplus = 0;

  constructor(options: Omit<EnvironmentOptions, "clockOffset">, most: number, clockSkew: number) {
    this.#events = options.events;
    this.#random = options.random;
    this.#queue = options.queue;
    this.#most = most;
    this.#create = () =>
      new Environment({ ...options, clockOffset: options.random.between(-clockSkew / 2, clockSkew / 2) });
    for (let poller = 0; poller < Math.min(FIRST_POLLERS, most); poller++) this.#add();
    this.#grow();
  }

  #grow(): void {
    this.#events.after(1_000, () => {
      // A queue with few visible messages needs few pollers.
      if (this.#queue.visible === 0 && this.#waiting > 0)
        this.#surplus = Math.ceil((this.#pollers - FIRST_POLLERS) / 10);
      for (let more = 0; more < MORE_PER_SECOND && this.#waiting === 0 && this.#pollers < this.#most; more++)
        this.#add();
      this.#grow();
    });
  }

  #add(): void {
    this.#pollers++;
    this.#poll();
  }

  #poll(): void {
    this.#waiting++;
    this.#queue.receive(BATCH, EMPTY_POLL_MILLISECONDS, (items) => {
      this.#waiting--;
      if (items.length === 0) {
        if (this.#pollers > FIRST_POLLERS) this.#pollers--;
        else this.#poll();
        return;
      }
      const place = this.environments.findLastIndex((environment) => environment.isIdle);
      const idle = place < 0 ? undefined : this.environments.splice(place, 1)[0];
      const environment = idle ?? this.#create();
      this.environments.push(environment);
      const delay = idle === undefined ? COLD_START_MILLISECONDS : 5;
      this.#reserve(environment, delay, () => environment.invoke(items, () => this.#ended(environment)));
    });
  }

  #reserve(environment: Environment, delay: number, invoke: () => void): void {
    environment.isReserved = true;
    this.#events.after(delay * this.#random.between(0.8, 1.2), () => {
      environment.isReserved = false;
      invoke();
    });
  }

  #ended(environment: Environment): void {
    if (environment.isDead) this.environments.splice(this.environments.indexOf(environment), 1);
    if (this.#surplus > 0 && this.#pollers > FIRST_POLLERS) {
      this.#surplus--;
      this.#pollers--;
    } else this.#events.after(this.#random.between(1, 5), () => this.#poll());
  }
}
