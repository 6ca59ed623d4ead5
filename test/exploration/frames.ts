import { AsyncLocalStorage } from "node:async_hooks";
import type { LedgerStore } from "../../shared/aws/table.ts";
import { type Announce, Climb } from "../../shared/ledger/roll-up.ts";
import { canonical } from "./canonical.ts";
import { type Knowledge, partOf } from "./knowledge.ts";
import type { Actor, Program } from "./operation.ts";

/** What a climb works with, made anew for each actor. */
export interface ClimbWorld {
  readonly knowledge: Knowledge;
  readonly programs: Map<string, Program>;
  readonly storeOf: (actor: Actor) => LedgerStore;
  readonly now: () => number;
  readonly announceOf: (actor: Actor) => Announce;
}

interface Scene {
  readonly actor: Actor;
  readonly world: ClimbWorld;
}

const scenes = new AsyncLocalStorage<Scene>();
const STEPS = ["fromPage", "fromBlock", "fromRun", "tell"] as const;

// What a step of the climb does depends on its arguments alone, and nobody looks at its result. So one that is called is
// taken for an actor of its own, and what its caller saw before is forgotten: without this, each way to come to one step
// would be a state of its own. Of a row that is an argument, as of a result, only what is ever looked at counts.
for (const step of STEPS) {
  const original = Climb.prototype[step] as (this: Climb, ...args: unknown[]) => Promise<void>;
  const called = async function (this: Climb, ...args: unknown[]): Promise<void> {
    const scene = scenes.getStore();
    if (scene === undefined) throw new Error("a climb that nobody explores");
    const { actor, world } = scene;
    // A producer climbs from one page while it sends another: then the steps are its own.
    if (actor.isBusy()) return await original.apply(this, args);
    const { knowledge, programs } = world;
    // The first argument is the address of a row or the id of a run. Rows follow it.
    const [place, ...rest] = args;
    const lookedAt = knowledge.lookedAt(`the argument of ${step}`);
    const program = () => {
      const name = `${step} ${canonical([place, ...rest.map((arg) => (isRow(arg) ? partOf(arg, lookedAt) : arg))])}`;
      const known = programs.get(name);
      if (known !== undefined) return known;
      const program = withFrames(step, world, async (own) => {
        const climb = new Climb(world.storeOf(own), world.now, world.announceOf(own));
        const watched = rest.map((arg) => (isRow(arg) ? knowledge.watched(arg, lookedAt) : arg));
        await original.apply(climb, [place, ...watched]);
        return "delete";
      });
      programs.set(name, program);
      return program;
    };
    await actor.perform({ type: "call", name: `${step} ${canonical(args)}`, program });
  };
  Object.defineProperty(Climb.prototype, step, { value: called });
}

const isRow = (arg: unknown): arg is Record<string, unknown> => typeof arg === "object";

/** A program in which steps of the climb are actors of their own. */
export function withFrames(kind: string, world: ClimbWorld, run: Program["run"]): Program {
  return { kind, run: (actor) => scenes.run({ actor, world }, () => run(actor)) };
}
