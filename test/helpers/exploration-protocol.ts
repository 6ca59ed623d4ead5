import assert from "node:assert/strict";
import { Burial } from "../../shared/consumer/burial.ts";
import { ledgerItem } from "../../shared/consumer/message.ts";
import type { Failure, Reason } from "../../shared/failure.ts";
import { type ItemState, Ledger } from "../../shared/ledger/ledger.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";
import { Runs } from "../../shared/ledger/runs.ts";
import type { LedgerStore } from "../../shared/ledger/store.ts";
import { type Envelope, parseEnvelope } from "../../shared/messages/envelope.ts";
import { PageSender } from "../../shared/producer/sender.ts";
import { UnreadableItem } from "../../shared/sources/unreadable-item.ts";
import type { Stage, Tools } from "./exploration-code.ts";

/**
 * What becomes of an item.
 *
 * - `good`: its task succeeds.
 * - `bad`: its task fails for good.
 * - `fickle`: each of its attempts may end either way.
 * - `unreadable`: the producer buries it, as it cannot be a message.
 */
export type ItemKind = "good" | "bad" | "fickle" | "unreadable";

export const RUN = "run";
export const WORKFLOW = "explored";
export const REQUESTED_AT = "2026-11-22T08:15:30.000Z";
/** The continuation that the producer works on. */
export const CONTROL = "control";
export const HOP = 1;

/** A clock that stands still: what is told apart by its time here would be one state more. */
export const now = (): number => Date.parse(REQUESTED_AT);

/** A message as it is received. */
export interface Delivery {
  readonly id: string;
  readonly body: string;
  readonly receiveCount: number;
}

type Owed = Pick<Extract<ItemState, { tag: "owed" }>, "failures" | "final">;

/** What the producer and the consumers do, by the ledger's code, and as `shared/producer` and `shared/consumer` do it. */
export class Protocol {
  readonly #pages: readonly (readonly ItemKind[])[];

  constructor(pages: readonly (readonly ItemKind[])[]) {
    this.#pages = pages;
  }

  /** For what is to be broken in a test of the exploration itself. */
  storeOf(tools: Tools): LedgerStore {
    return tools.store;
  }

  ledger(tools: Tools): Ledger {
    return new Ledger(this.storeOf(tools), now, tools.announce);
  }

  runs(tools: Tools): Runs {
    return new Runs(this.storeOf(tools), now, tools.announce);
  }

  delete(message: string): Stage {
    return this.stage("delete", message, undefined, async (tools) => {
      await tools.deleteMessage(message);
      return [];
    });
  }

  stage(kind: string, message: string, data: unknown, run: Stage["run"]): Stage {
    return { name: `${message}: ${kind} ${JSON.stringify(data)}`, kind, message, run };
  }

  // The producer ------------------------------------------------------------------------------------------------------

  produce(): Stage {
    return this.stage("take up", CONTROL, undefined, async (tools) => {
      const run = await this.runs(tools).takeUp(RUN, HOP);
      return [run === undefined ? this.delete(CONTROL) : this.#closeAgain(run)];
    });
  }

  #closeAgain(run: RunRecord): Stage {
    return this.stage("close again", CONTROL, run, async (tools) => {
      await this.runs(tools).closeAgain(run);
      return [run.checkpoint.ended ? this.delete(CONTROL) : this.sendPage(run)];
    });
  }

  sendPage(run: RunRecord): Stage {
    return this.stage("send", CONTROL, run, async (tools) => {
      assert.equal(run.status, "running");
      const { pages: page } = run.checkpoint;
      const kinds = this.#pages[page] ?? [];
      const { queue, deadLetterQueue } = tools;
      const sender = new PageSender({ workflow: WORKFLOW, ledger: this.ledger(tools), queue, deadLetterQueue, now });
      await sender.send(
        RUN,
        page,
        kinds.map((kind) => (kind === "unreadable" ? new UnreadableItem({ raw: "?", error: "no", at: "1" }) : kind)),
      );
      return [this.#checkpoint(run, kinds.length)];
    });
  }

  #checkpoint(run: RunRecord, size: number): Stage {
    return this.stage("checkpoint", CONTROL, run, async (tools) => {
      const { pages, items } = run.checkpoint;
      const ended = pages + 1 === this.#pages.length;
      const next = { cursor: ended ? undefined : pages + 1, skip: 0, pages: pages + 1, items: items + size, ended };
      const after = await this.runs(tools).checkpoint(run, next);
      return [after === undefined || after.checkpoint.ended ? this.delete(CONTROL) : this.sendPage(after)];
    });
  }

  // The consumers -----------------------------------------------------------------------------------------------------

  consume({ id, body, receiveCount }: Delivery): Stage {
    const envelope = parseEnvelope(body);
    return this.stage("look up", id, receiveCount, async (tools) => {
      if (receiveCount === 1 && envelope.resent !== true) {
        return this.#attempt(id, envelope, receiveCount, { failures: [], final: undefined });
      }
      const [state] = await this.ledger(tools).itemStates([ledgerItem(envelope)]);
      assert.ok(state !== undefined);
      if (state.tag === "settled") return [this.climbAgain(id, envelope)];
      assert.ok(state.tag === "owed", `an item is ${state.tag}`);
      return this.#attempt(id, envelope, receiveCount, state);
    });
  }

  climbAgain(id: string, { run, page }: Envelope): Stage {
    return this.stage("climb again", id, undefined, async (tools) => {
      await this.ledger(tools).climbAgain(run, page);
      return [this.delete(id)];
    });
  }

  #attempt(id: string, envelope: Envelope, receiveCount: number, state: Owed): readonly Stage[] {
    const { failures, final } = state;
    if (final !== undefined) return [this.bury(id, envelope, final, failures)];
    const kind = envelope.item as ItemKind;
    return [
      ...(kind === "bad" ? [] : [this.succeed(id, envelope, failures.length)]),
      ...(kind === "good" ? [] : [this.#fail(id, envelope, receiveCount, failures.length + 1)]),
    ];
  }

  succeed(id: string, envelope: Envelope, failures: number): Stage {
    return this.stage("succeed", id, failures, async (tools) => {
      const { index, redrives, ...page } = ledgerItem(envelope);
      try {
        await this.ledger(tools).recordSuccesses({ ...page, items: [{ index, failures, redrives }] });
      } catch (error) {
        // Its message comes again.
        if (error instanceof Error && error.message.endsWith("had been claimed before")) return [];
        throw error;
      }
      return [this.delete(id)];
    });
  }

  #fail(id: string, envelope: Envelope, receiveCount: number, attempt: number): Stage {
    return this.stage("fail", id, [receiveCount, attempt], async (tools) => {
      const failure = { attempt, at: REQUESTED_AT, durationMilliseconds: 1, name: "Error", message: "no" };
      const item = ledgerItem(envelope);
      const failures = await this.ledger(tools).recordFailure(
        item,
        receiveCount,
        { ...failure, kind: "threw" },
        "permanent",
      );
      return [this.bury(id, envelope, "permanent", failures)];
    });
  }

  bury(id: string, envelope: Envelope, reason: Reason, failures: readonly Failure[]): Stage {
    return this.stage("bury", id, [reason, failures], async (tools) => {
      const burial = new Burial(this.ledger(tools), tools.deadLetterQueue, now);
      await burial.buryItem(envelope, reason, failures, failures.length);
      return [this.delete(id)];
    });
  }
}
