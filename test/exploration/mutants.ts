/** A mistake in the ledger's code, and a scope in which it shows. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly scope: string;
  /** What the exploration says. */
  readonly shows: RegExp;
}

/** Each is one that somebody might make. The exploration must find every one. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "a run works before it is one of the active runs",
    file: "shared/ledger/runs.ts",
    from: "    if (isActive(record) && !record.exclusive) await this.active.enter(record);\n",
    to: "",
    scope: "one item",
    shows: /none of the active runs/,
  },
  {
    name: "a run's end does not make it leave the active runs",
    file: "shared/ledger/runs.ts",
    from: "    await this.active.leave(id);\n",
    to: "",
    scope: "one item, up to onComplete",
    shows: /still one of the active runs/,
  },
  {
    name: "a run ends unconditionally",
    file: "shared/ledger/roll-up.ts",
    from: `when: [{ equals: ["status", String(row.status)] }, { absent: "completedAt" }],`,
    to: "",
    scope: "an item that dies",
    shows: /the run ended 2 times/,
  },
  {
    name: "a run of one block completes whatever its status",
    file: "shared/ledger/roll-up.ts",
    from: `{ equals: ["status", "running"] }, `,
    to: "",
    scope: "a run that is cancelled",
    shows: /the run ended 2 times/,
  },
  {
    name: "successes are counted instead of collected",
    file: "shared/ledger/ledger.ts",
    from: "        done: items.map(({ index, redrives }) => lifeEntry(index, redrives)),",
    to: "        done: items.map(() => Math.floor(Math.random() * 900)),",
    scope: "one item",
    shows: /item 0.0 is in no place/,
  },
  {
    name: "the end is announced before it is written",
    file: "shared/ledger/roll-up.ts",
    from: "    const completed = await this.#store.update(runKey(run), {\n",
    to: '    await this.#announce?.({ run, workflow: "explored" });\n    const completed = await this.#store.update(runKey(run), {\n',
    scope: "one item, up to onComplete",
    shows: /told in 0 ways/,
  },
  {
    name: "who finds the run ended does not announce it",
    file: "shared/ledger/roll-up.ts",
    from: "    await this.tell(run);\n  }",
    to: "    if (row.completedAt === undefined) await this.tell(run);\n  }",
    scope: "one item",
    shows: /not announced/,
  },
  {
    name: "who finds an item settled does not climb",
    file: "shared/consumer/outcomes/settlement.ts",
    from: "        await ledger.climbAgain(envelope.run, envelope.page);\n",
    to: "",
    scope: "one item",
    shows: /not announced|has not ended/,
  },
  {
    name: "a block is full before its size is told",
    file: "shared/ledger/roll-up.ts",
    from: "if (row.size === undefined || row.full.size < row.size) return;",
    to: "if (row.full.size < (row.size ?? 1)) return;",
    scope: "two pages of an item",
    shows: /is in no place|not all items/,
  },
  {
    name: "the source's end does not look whether all is full",
    file: "shared/ledger/runs.ts",
    from: "    if (after.checkpoint.ended) await this.#completeIfFull(run.id);\n",
    to: "",
    scope: "no item at all",
    shows: /has not ended/,
  },
  {
    name: "the checkpoint moves before the messages are sent",
    file: "shared/producer/sender.ts",
    from: "    await this.#options.queue.sendAll(messages);\n",
    to: "",
    scope: "one item",
    shows: /has not ended/,
  },
  {
    name: "a death is not claimed before its dead letter",
    file: "shared/consumer/outcomes/dead-lettering.ts",
    from: "    if (!(await this.#ledger.claimDeath(item))) return false;\n",
    to: "",
    scope: "an item that succeeds and dies",
    shows: /has 1 dead letters|is in done and dead/,
  },
  {
    name: "a cancelled item excludes no success",
    file: "shared/ledger/ledger.ts",
    from: '          ...some.flatMap((life): Condition[] => [{ lacks: ["done", life] }, { lacks: ["dying", life] }]),\n',
    to: "",
    scope: "a run that is cancelled",
    shows: /./,
  },
];
