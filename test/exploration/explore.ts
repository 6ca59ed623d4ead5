import assert from "node:assert/strict";
import { Random } from "../chaos/random.ts";
import { Edges } from "./edges.ts";
import { Knowledge } from "./knowledge.ts";
import type { Scope } from "./scope.ts";
import { States } from "./states.ts";
import { type State, type Step, World } from "./world.ts";

/** The result of an exploration. */
export interface Exploration {
  readonly scope: Scope;
  /** Different states. */
  readonly states: number;
  /** Steps between them. */
  readonly steps: number;
  /** States in which nothing is left to do. Each of them was checked. */
  readonly ends: number;
  /** The longest path without a state twice. */
  readonly depth: number;
  readonly violation: Violation | undefined;
}

export interface Violation {
  readonly what: string;
  /** The steps that led to it. */
  readonly path: readonly string[];
}

interface Frame {
  readonly number: number;
  readonly steps: readonly Step[];
  next: number;
}

/** After so many new states, a pass checks whether it has learned something. If it has, it begins again. */
const FIRST_LOOK = 500;
const LATER_LOOKS = 20_000;

/** After a pass of at least so many states, random walks take less time than the passes that they save. */
const MANY_STATES = 4_000;
/** After so many random walks in a row that learned nothing, the next pass begins. */
const QUIET_WALKS = 100;
/** The number of steps after which a random walk ends. Without it, a consumer could die again and again. */
const LONGEST_WALK = 200;

/**
 * Visits every state of a scope, and every step from each state, until a pass learns nothing new. Each scope begins
 * without knowledge: the knowledge of another scope would distinguish states that are equal in this one.
 */
export async function explore(scope: Scope): Promise<Exploration> {
  const knowledge = new Knowledge();
  const world = new World(scope, knowledge);
  for (let look = FIRST_LOOK; ; ) {
    const { learned } = knowledge;
    const exploration = await new Pass(scope, world, knowledge, look).run();
    if (exploration.violation !== undefined || learned === knowledge.learned) return exploration;
    // A violation on a walk ends the walks. The next pass finds it too, and reports the steps that lead to it.
    if (exploration.states >= MANY_STATES) await walk(world, knowledge).catch(() => {});
    look = Math.max(look, Math.min(exploration.states, LATER_LOOKS));
  }
}

/**
 * Walks at random through the world until many walks in a row have learned nothing. A pass goes depth first: it reaches
 * some kinds of states only after most of the others, and what it learns there makes it begin again. A walk reaches them
 * soon.
 */
async function walk(world: World, knowledge: Knowledge): Promise<void> {
  const random = new Random(1);
  for (let walks = 0; walks < QUIET_WALKS; walks++) {
    const { learned } = knowledge;
    let state: State | undefined = world.initial();
    for (let step = 0; step < LONGEST_WALK && state !== undefined; step++) {
      const steps: readonly Step[] = await world.steps(state);
      state = steps[random.integer(0, steps.length - 1)]?.after;
    }
    if (knowledge.learned > learned) walks = 0;
  }
}

/**
 * Visits all states once, depth first. A state that was reached before is not visited again: what follows depends on
 * the state alone.
 */
class Pass {
  readonly #scope: Scope;
  readonly #world: World;
  readonly #knowledge: Knowledge;
  readonly #look: number;
  readonly #learned: number;
  readonly #numbers = new States();
  readonly #regular = new Edges();
  readonly #path: Frame[] = [];
  #steps = 0;
  #ends = 0;
  #depth = 0;

  constructor(scope: Scope, world: World, knowledge: Knowledge, look: number) {
    this.#scope = scope;
    this.#world = world;
    this.#knowledge = knowledge;
    this.#look = look;
    this.#learned = knowledge.learned;
  }

  async run(): Promise<Exploration> {
    const path = this.#path;
    try {
      const initial = this.#world.initial();
      await this.#enter(initial, keyOf(initial));
      for (let frame = path.at(-1); frame !== undefined; frame = path.at(-1)) {
        const step = frame.steps[frame.next++];
        if (step === undefined) path.pop();
        else if (await this.#take(frame, step)) return this.#result();
      }
      assert.ok(
        !this.#regular.haveCycle(this.#numbers.size),
        "steps without an accident lead back to an earlier state",
      );
      return this.#result();
    } catch (error) {
      const taken = path.map((frame) => frame.steps[frame.next - 1]).filter((step) => step !== undefined);
      return this.#result({ what: String((error as Error).message), path: taken.map(({ what }) => what()) });
    }
  }

  /** Returns whether the pass must begin again. */
  async #take(from: Frame, { after, regular }: Step): Promise<boolean> {
    this.#steps++;
    const key = keyOf(after);
    const known = this.#numbers.get(key);
    if (regular) this.#regular.add(from.number, known ?? this.#numbers.size);
    if (known !== undefined) return false;
    await this.#enter(after, key);
    return this.#numbers.size % this.#look === 0 && this.#knowledge.learned > this.#learned;
  }

  async #enter(state: State, key: string): Promise<void> {
    const number = this.#numbers.add(key);
    const quiet = this.#world.isQuiet(state);
    if (quiet) {
      this.#ends++;
      this.#world.checkQuiet(state);
    }
    const steps = await this.#world.steps(state);
    assert.ok(quiet || steps.some(({ regular }) => regular), "something is left to do, and no step does it");
    this.#path.push({ number, steps, next: 0 });
    this.#depth = Math.max(this.#depth, this.#path.length);
  }

  #result(violation?: Violation): Exploration {
    const counts = { states: this.#numbers.size, steps: this.#steps, ends: this.#ends, depth: this.#depth };
    return { scope: this.#scope, ...counts, violation };
  }
}

// The numbers' bytes as text are the fastest key of a `Map`.
const keyOf = ({ buffer, byteOffset, byteLength }: State): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
