import { AsyncLocalStorage } from "node:async_hooks";
import type { LedgerStore } from "../../shared/aws/table.ts";
import { type Announce, RollUp } from "../../shared/ledger/roll-up.ts";
import { canonical } from "./canonical.ts";
import { type Knowledge, partOf } from "./knowledge.ts";
import type { Actor, Program } from "./operation.ts";

/** What a roll-up works with. Each actor gets its own. */
export interface RollUpWorld {
  readonly knowledge: Knowledge;
  readonly programs: Map<string, Program>;
  readonly storeOf: (actor: Actor) => LedgerStore;
  readonly now: () => number;
  readonly announceOf: (actor: Actor) => Announce;
}

interface Scene {
  readonly actor: Actor;
  readonly world: RollUpWorld;
}

const scenes = new AsyncLocalStorage<Scene>();
const STEPS = ["fromPage", "fromBlock", "fromBlockGroup", "fromPartition", "fromGroup", "fromRun", "tell"] as const;

// What a step of the roll-up does depends on its arguments only, and no caller uses its result. So the exploration treats
// each called step as an actor of its own, and forgets what the caller saw before. Otherwise each way to reach a step would
// be a state of its own. Two rows as arguments are equal if the attributes that are ever looked at are equal.
for (const step of STEPS) {
  const original = RollUp.prototype[step] as (this: RollUp, ...args: unknown[]) => Promise<void>;
  const called = async function (this: RollUp, ...args: unknown[]): Promise<void> {
    const scene = scenes.getStore();
    if (scene === undefined) throw new Error("a roll-up outside an exploration");
    const { actor, world } = scene;
    // A producer can roll up from one page while it sends another. Then the steps stay a part of the producer.
    if (actor.isBusy()) return await original.apply(this, args);
    const { knowledge, programs } = world;
    // The first argument is the address of a row or the id of a run. Rows follow it.
    const [place, ...rest] = args;
    const lookedAt = knowledge.lookedAt(`the argument of ${step}`);
    // The program stays the same while no more attributes are looked at. Every state that contains the call asks for it.
    let latest: { readonly attributes: number; readonly program: Program } | undefined;
    const program = () => {
      if (latest?.attributes !== lookedAt.size) latest = { attributes: lookedAt.size, program: programNow() };
      return latest.program;
    };
    const programNow = () => {
      const name = `${step} ${canonical([place, ...rest.map((arg) => (isRow(arg) ? partOf(arg, lookedAt) : arg))])}`;
      const known = programs.get(name);
      if (known !== undefined) return known;
      const program = withFrames(step, world, async (own) => {
        const rollUp = new RollUp(world.storeOf(own), world.now, world.announceOf(own));
        const watched = rest.map((arg) => (isRow(arg) ? knowledge.watched(arg, lookedAt) : arg));
        await original.apply(rollUp, [place, ...watched]);
        return "delete";
      });
      programs.set(name, program);
      return program;
    };
    await actor.perform({ type: "call", name: `${step} ${canonical(args)}`, program });
  };
  Object.defineProperty(RollUp.prototype, step, { value: called });
}

const isRow = (arg: unknown): arg is Record<string, unknown> => typeof arg === "object";

/** A program in which the steps of the roll-up are actors of their own. */
export function withFrames(kind: string, world: RollUpWorld, run: Program["run"]): Program {
  return { kind, run: (actor) => scenes.run({ actor, world }, () => run(actor)) };
}
