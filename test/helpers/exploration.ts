import { Code, climbInCalls, IDLE, Learnt, type Operation } from "./exploration-code.ts";
import { CONTROL, type ItemKind, now, Protocol } from "./exploration-protocol.ts";
import { type Effect, type Event, Worlds } from "./exploration-world.ts";

/** How much is explored. */
export interface Scope {
  /** The source, page by page. */
  readonly pages: readonly (readonly ItemKind[])[];
  readonly consumers: number;
  /** More than one work on the run at once only where its continuation comes twice. */
  readonly producers: number;
  /** Of processes, on one path. */
  readonly crashes: number;
  /**
   * How the message of each item, and the continuation, may come a second time: received again while it is worked on or
   * after it was deleted, or sent twice.
   */
  readonly duplicates: "received" | "sent" | "none";
}

export interface Exploration {
  readonly states: number;
  readonly transitions: number;
  /** States in which nothing is left to do. */
  readonly ends: number;
  /** The first path found that breaks a rule, and which. */
  readonly violation: { readonly rule: string; readonly path: readonly string[] } | undefined;
}

interface State {
  readonly world: number;
  /** The places of the consumers, then those of the producers, each of the two in ascending order. */
  readonly processes: readonly number[];
  /** A place of a consumer that has just received its message. */
  readonly fresh: number;
  readonly from: State | undefined;
  readonly message: string;
  readonly step: Operation | Event | undefined;
}

// Two numbers below it are one number of JavaScript.
const PAIR = 2 ** 26;

const CRASH = { name: "crash" } as const;

/** Explores every interleaving within a scope, until one is found that breaks a rule. */
export async function explore(scope: Scope, protocol = new Protocol(scope.pages)): Promise<Exploration> {
  using _ = climbInCalls();
  for (;;) {
    try {
      return await new Explorer(scope, protocol).explore();
    } catch (error) {
      if (!(error instanceof Learnt)) throw error;
    }
  }
}

class Explorer {
  readonly #scope: Scope;
  readonly #protocol: Protocol;
  readonly #code = new Code(now);
  readonly #worlds: Worlds;
  readonly #effects = new Map<number, readonly Effect[]>();
  readonly #processes = new Map<number, number>();
  readonly #visited = new Set<number>();
  readonly #open: State[] = [];
  #transitions = 0;
  #ends = 0;

  constructor(scope: Scope, protocol: Protocol) {
    this.#scope = scope;
    this.#protocol = protocol;
    this.#worlds = new Worlds(scope);
  }

  async explore(): Promise<Exploration> {
    const idle = Array.from({ length: this.#scope.consumers + this.#scope.producers }, () => IDLE);
    this.#visit(await this.#worlds.first(), idle, IDLE, undefined, "", undefined);
    const stat: any = {};
    let violation: Exploration["violation"];
    for (
      let state = this.#open.pop();
      state !== undefined && violation === undefined && this.#visited.size < Number(process.env.MOST ?? 1e9);
      state = this.#open.pop()
    ) {
      if (process.env.STATS) { const k = this.#worlds.phase(state.world) + " " + state.processes.map((p) => p === 0 ? "-" : this.#code.at(p).view ? [...this.#code.at(p).pasts.values()][0]?.stage.kind : "").join(); stat[k] = (stat[k] ?? 0) + 1; }
      try {
        this.#worlds.check(state.world);
        await this.#expand(state);
      } catch (error) {
        if (error instanceof Learnt) throw error;
        violation = { rule: error instanceof Error ? error.message : String(error), path: pathTo(state) };
      }
    }
    if (process.env.DUMP) for (let i = 1; i < this.#code.count; i++) { const p = this.#code.at(i); console.log(i, [...p.pasts.values()][0]?.stage.name.slice(0, 60), "|", p.pasts.size, p.ways.size, JSON.stringify(this.#code.operations.at(p.operation)).slice(0, 120), "|", p.rest.join()); }
    if (process.env.STATS) console.log(stat);
    if (process.env.STATS)
      console.log({
        worlds: this.#worlds.count,
        places: this.#code.count,
        procs: this.#processes.size,
        ops: this.#code.operations.things.length,
      });
    return { states: this.#visited.size, transitions: this.#transitions, ends: this.#ends, violation };
  }

  async #expand(state: State): Promise<void> {
    const { world, processes, fresh } = state;
    const held = new Set<string>();
    for (const place of processes) if (place !== IDLE) held.add(this.#code.at(place).message);
    const only = fresh === IDLE ? processes.find((place) => place !== IDLE && this.#isAlone(place, world)) : fresh;
    for (const [process, place] of processes.entries()) {
      if (place === IDLE || (only !== undefined && place !== only)) continue;
      await this.#step(state, process, place);
    }
    if (only !== undefined && fresh === IDLE) return;
    let busy = held.size > 0;
    const freshMessage = fresh === IDLE ? undefined : this.#code.at(fresh).message;
    for (const event of this.#worlds.receivable(world, held)) {
      if (!event.again) busy = true;
      if (freshMessage !== undefined && event.message !== freshMessage) continue;
      const isControl = event.message === CONTROL;
      const process = processes.findIndex((place, each) => place === IDLE && isControl === this.#isProducer(each));
      if (process < 0) continue;
      for (const { world: after } of await this.#worlds.apply(world, event)) {
        const stage = isControl
          ? this.#protocol.produce()
          : this.#protocol.consume(this.#worlds.delivery(after, event.message));
        for (const place of await this.#code.enter(stage)) {
          this.#visit(after, processes.with(process, place), isControl ? IDLE : place, state, event.message, event);
        }
      }
    }
    if (busy) return;
    this.#ends++;
    await this.#worlds.checkEnd(world);
  }

  async #step(state: State, process: number, number: number): Promise<void> {
    const { world, processes } = state;
    const place = this.#code.at(number);
    const operation = this.#code.operations.at(place.operation);
    const effectKey = world * PAIR + place.operation;
    let effects = this.#effects.get(effectKey);
    if (effects === undefined) {
      effects = await this.#worlds.apply(world, operation);
      this.#effects.set(effectKey, effects);
    }
    for (const { world: after, result } of effects) {
      let following = place.next.get(result);
      following ??= await this.#code.follow(number, result, this.#worlds.result(result));
      for (const next of following) {
        this.#visit(after, processes.with(process, next), IDLE, state, place.message, operation);
      }
    }
    if (this.#worlds.crashes(world) < this.#scope.crashes) {
      for (const { world: after } of await this.#worlds.apply(world, CRASH)) {
        this.#visit(after, processes.with(process, IDLE), IDLE, state, place.message, CRASH);
      }
    }
  }

  #isAlone(place: number, world: number): boolean {
    const operation = this.#code.operations.at(this.#code.at(place).operation);
    const { name } = operation;
    if (this.#worlds.isAnnounced(world) && (name === "announce" || ("key" in operation && operation.key.sk === "run"))) return true;
    return name === "delete" || (name === "send" && this.#scope.producers === 1 && this.#scope.duplicates !== "sent");
  }

  #visit(
    world: number,
    processes: readonly number[],
    fresh: number,
    from: State | undefined,
    message: string,
    step: State["step"],
  ): void {
    this.#transitions++;
    const { consumers } = this.#scope;
    // Which of two consumers stands where makes no difference.
    const canonical = [
      ...processes.slice(0, consumers).sort((a, b) => a - b),
      ...processes.slice(consumers).sort((a, b) => a - b),
    ];
    let number = 0;
    for (const place of [...canonical, fresh]) {
      const pair = number * PAIR + place;
      number = this.#processes.get(pair) ?? this.#processes.size + 1;
      this.#processes.set(pair, number);
    }
    const key = world * PAIR + number;
    if (this.#visited.has(key)) return;
    this.#visited.add(key);
    this.#open.push({ world, processes: canonical, fresh, from, message, step });
  }

  #isProducer(process: number): boolean {
    return process >= this.#scope.consumers;
  }
}

function pathTo(state: State): readonly string[] {
  const path: string[] = [];
  for (let each: State | undefined = state; each?.from !== undefined; each = each.from) {
    path.push(`with ${each.message}: ${JSON.stringify(each.step)}`);
  }
  return path.reverse();
}
