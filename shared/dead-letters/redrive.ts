import type { MessageAttributeValue } from "@aws-sdk/client-sqs";
import type { OutgoingMessage, Queue } from "../aws/queue.ts";
import { batchesOf } from "../base/batches.ts";
import { toError } from "../base/errors.ts";
import { NewerVersionError } from "../base/newer-version.ts";
import type { ItemFate } from "../ledger/item-ledger.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { MOST_REDRIVES } from "../ledger/page-row.ts";
import { isStopping } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";
import { toBody, toJson } from "../messages/body.ts";
import { redrivenBody } from "../messages/dead-letter.ts";
import { parseEnvelope } from "../messages/envelope.ts";
import type { ItemAddress } from "../messages/item-address.ts";
import { Pacer } from "./pacer.ts";
import { QueueRoom, type QueueRoomOptions } from "./queue-room.ts";
import { type DeadLetter, hasItemAddress, itemOf, REASON_ATTRIBUTE, toMessageAttribute } from "./read-dead-letter.ts";
import { type HeldDeadLetter, Scan, type ScanOptions, type ScanResult } from "./scan.ts";

export interface RedriveOptions extends ScanOptions {
  readonly deadLetterQueue: Queue;
  /** The workflow's queue, to which the dead letters go. */
  readonly queue: Queue;
  readonly ledger: Ledger;
  readonly runs: Runs;
  /** Which dead letters. Called once for each. */
  readonly select: (deadLetter: DeadLetter) => boolean;
  /**
   * Returns the item with which the dead letter is redriven, or `undefined` to keep the item. The item of a foreign
   * dead letter is its body. If `edit` throws, the dead letter stays in the dead-letter queue, and is refused with the
   * error's message. `edit` must check the item against the workflow's schema.
   */
  readonly edit?: ((deadLetter: DeadLetter) => unknown | Promise<unknown>) | undefined;
  /** The highest number of dead letters in one second. Default: no limit. */
  readonly ratePerSecond?: number | undefined;
  /** Moves nothing, and returns what would be moved. `edit` is called nevertheless. Default: false. */
  readonly dryRun?: boolean | undefined;
  /** Called after each step, beside `onProgress`. */
  readonly onMoved?: ((moved: number) => void) | undefined;
  /** Called after each step with the ids of dead letters that have left the dead-letter queue. */
  readonly onGone?: ((ids: readonly string[]) => void) | undefined;
  /**
   * How many messages the queue may hold, and what happens while it is full: then the redrive waits for the consumers.
   * Default: 66,667 messages.
   */
  readonly room?: Pick<QueueRoomOptions, "mostMessages" | "onFull" | "sleep"> | undefined;
}

/**
 * Why a selected dead letter stays in the dead-letter queue.
 *
 * - `truncated`: it holds only the start of its item, so `edit` must return a whole item.
 * - `edit refused`: `edit` threw, or the new item is not JSON or is too large.
 * - `run stopping`: its run is being stopped, so a consumer would drop the item without an attempt. Wait until the run
 *   has ended.
 * - `unknown run`: the ledger has no row of its run, so the item could not be counted. The row may have expired.
 * - `stale`: the source changed under its page, and the item is no longer part of the run.
 * - `newer version`: a newer version of Sluice wrote it, or began its run. Use that version.
 * - `redriven too often`: its item was redriven `MOST_REDRIVES` times, and the ledger has no room for more.
 * - `send refused`: SQS refused the message at every try.
 */
export const REFUSALS = [
  "truncated",
  "edit refused",
  "run stopping",
  "unknown run",
  "stale",
  "newer version",
  "redriven too often",
  "send refused",
] as const;
export type Refusal = (typeof REFUSALS)[number];

export interface RedriveResult extends ScanResult {
  readonly selected: number;
  /** How many were moved to the queue. With `dryRun`: how many would be. */
  readonly moved: number;
  /** How many of these have a changed item. */
  readonly edited: number;
  /** How many were deleted and not sent, because their items have succeeded in between. */
  readonly alreadyDone: number;
  readonly refused: Readonly<Partial<Record<Refusal, number>>>;
  /** The first 100 dead letters that were refused, with what to do about them. */
  readonly refusals: readonly { readonly id: string; readonly refusal: Refusal; readonly message: string }[];
  /** The number of redriven items of each run, for at most 1,000 runs. These items are pending again. */
  readonly runs: Readonly<Record<string, number>>;
}

const MOST_REFUSALS_TOLD = 100;
const MOST_RUNS_TOLD = 1_000;
/** For how long a run's status is used before it is read again: the run may be cancelled during the redrive. */
const STATUS_MILLISECONDS = 2_000;

/**
 * Moves selected dead letters back to the queue. It moves only those that were sent to the dead-letter queue before it
 * began. Each item gets fresh attempts, keeps its history, and counts as pending in its run until it settles again.
 *
 * A dead letter is sent, then recorded in the ledger, then deleted from the dead-letter queue. If the process dies in
 * between, the dead letter stays in the dead-letter queue. Another redrive sends the same message again, and the ledger
 * counts it once.
 *
 * @throws {SluiceError} `DLQ_MOVES_ON`, see `Scan`.
 * @throws What SQS or DynamoDB throw after the SDK's retries. What was moved stays moved. All other dead letters stay
 *   in the dead-letter queue.
 */
export async function redrive(options: RedriveOptions): Promise<RedriveResult> {
  const scan = new Scan(options.deadLetterQueue, options);
  const redriver = new Redriver(options, scan);
  const result = await scan.run((deadLetters) => redriver.see(deadLetters));
  return { ...result, ...redriver.outcome };
}

/** A dead letter that can be redriven, with its message. */
interface Prepared {
  readonly deadLetter: HeldDeadLetter;
  readonly message: OutgoingMessage;
  readonly edited: boolean;
  /** The item for the ledger. Absent for a foreign dead letter. */
  readonly item?: ItemAddress;
}

class Redriver {
  readonly #options: RedriveOptions;
  readonly #scan: Scan;
  readonly #pacer: Pacer;
  readonly #room: QueueRoom;
  readonly #now: () => number;
  /**
   * Items that die after this time are not redriven. Otherwise an item that fails at once would be sent back again and
   * again.
   */
  readonly #beganAt: number;
  readonly #stopping = new Map<string, { readonly at: number; readonly stopping: Promise<boolean> }>();
  readonly #refused: Partial<Record<Refusal, number>> = {};
  readonly #refusals: { readonly id: string; readonly refusal: Refusal; readonly message: string }[] = [];
  readonly #runs: Record<string, number> = {};
  #selected = 0;
  #moved = 0;
  #edited = 0;
  #alreadyDone = 0;

  constructor(options: RedriveOptions, scan: Scan) {
    this.#options = options;
    this.#scan = scan;
    this.#now = options.now ?? Date.now;
    this.#beganAt = this.#now();
    const { queue, signal, ratePerSecond, room } = options;
    this.#pacer = new Pacer({ ratePerSecond, signal, now: this.#now });
    this.#room = new QueueRoom({ ...room, queue, signal });
  }

  get outcome(): Omit<RedriveResult, keyof ScanResult> {
    return {
      selected: this.#selected,
      moved: this.#moved,
      edited: this.#edited,
      alreadyDone: this.#alreadyDone,
      refused: this.#refused,
      refusals: this.#refusals,
      runs: this.#runs,
    };
  }

  async see(deadLetters: readonly HeldDeadLetter[]): Promise<void> {
    const { select, dryRun } = this.#options;
    const selected = deadLetters.filter(
      (deadLetter) => Date.parse(deadLetter.sentAt) <= this.#beganAt && select(deadLetter),
    );
    this.#selected += selected.length;
    const step = dryRun ? Math.max(1, selected.length) : this.#pacer.step;
    for (const some of batchesOf(selected, step)) {
      const mayMove = dryRun || ((await this.#pacer.wait(some.length)) && (await this.#room.wait(some.length)));
      if (!mayMove) return;
      await this.#redrive(some);
    }
  }

  async #redrive(deadLetters: readonly HeldDeadLetter[]): Promise<void> {
    const addressed = deadLetters.filter((deadLetter) => hasItemAddress(deadLetter));
    const fates = addressed.length === 0 ? [] : await this.#options.ledger.itemFates(addressed.map(itemOf));
    const fateOf = new Map<HeldDeadLetter, ItemFate | undefined>(
      addressed.map((deadLetter, index) => [deadLetter, fates[index]]),
    );
    const done: HeldDeadLetter[] = [];
    const prepared: Prepared[] = [];
    for (const deadLetter of deadLetters) {
      const fate = fateOf.get(deadLetter);
      if (fate?.tag === "done") done.push(deadLetter);
      else {
        const ready = await this.#prepare(deadLetter, fate);
        if (ready !== undefined) prepared.push(ready);
      }
    }
    this.#alreadyDone += done.length;
    if (this.#options.dryRun) return this.#count(prepared);
    if (done.length > 0) await this.#remove(done.map(({ id }) => id));
    await this.#move(prepared);
  }

  async #move(prepared: readonly Prepared[]): Promise<void> {
    if (prepared.length === 0) return;
    const { queue, onMoved } = this.#options;
    const refused = await queue.sendEach(prepared.map(({ message }) => message));
    for (const { deadLetter, message } of prepared) {
      const reason = refused.get(message);
      if (reason !== undefined) this.#refuse(deadLetter, "send refused", reason);
    }
    const sent = prepared.filter(({ message }) => !refused.has(message));
    await this.#record(sent.flatMap(({ item }) => item ?? []));
    await this.#remove(sent.map(({ deadLetter }) => deadLetter.id));
    this.#count(sent);
    onMoved?.(this.#moved);
  }

  async #remove(ids: readonly string[]): Promise<void> {
    const left = await this.#scan.remove(ids);
    this.#options.onGone?.(ids.filter((id) => !left.has(id)));
  }

  async #record(items: readonly ItemAddress[]): Promise<void> {
    const pages = Map.groupBy(items, ({ run, partition, page, epoch }) =>
      JSON.stringify([run, partition, page, epoch]),
    );
    await Promise.all(
      [...pages.values()].map(async (group) => {
        const [first] = group;
        if (first !== undefined) await this.#options.ledger.outcomes.recordRedrives({ ...first, items: group });
      }),
    );
  }

  #count(prepared: readonly Prepared[]): void {
    this.#moved += prepared.length;
    this.#edited += prepared.filter(({ edited }) => edited).length;
    for (const { deadLetter } of prepared) {
      const { run } = deadLetter;
      if (run === null || (!(run in this.#runs) && Object.keys(this.#runs).length >= MOST_RUNS_TOLD)) continue;
      this.#runs[run] = (this.#runs[run] ?? 0) + 1;
    }
  }

  /** The message of a dead letter, or nothing if it is refused. */
  async #prepare(deadLetter: HeldDeadLetter, fate: ItemFate | undefined): Promise<Prepared | undefined> {
    if (fate?.tag === "unknown") {
      return this.#refuse(
        deadLetter,
        "unknown run",
        `run ${deadLetter.run} is not in the ledger: its row may have expired`,
      );
    }
    if (fate?.tag === "stale") {
      return this.#refuse(
        deadLetter,
        "stale",
        `the source changed under page ${deadLetter.page} of run ${deadLetter.run}`,
      );
    }
    if (deadLetter.kind === "newer") return this.#refuse(deadLetter, "newer version", deadLetter.error.message);
    try {
      if (deadLetter.run !== null && (await this.#isStopping(deadLetter.run))) {
        return this.#refuse(
          deadLetter,
          "run stopping",
          `run ${deadLetter.run} is being stopped: wait until it has ended`,
        );
      }
    } catch (error) {
      if (error instanceof NewerVersionError) return this.#refuse(deadLetter, "newer version", error.message);
      throw error;
    }
    const { edit } = this.#options;
    try {
      const item = await edit?.(deadLetter);
      if (deadLetter.truncated && item === undefined) {
        return this.#refuse(
          deadLetter,
          "truncated",
          "it holds only the start of its item: edit the item so that it is whole again",
        );
      }
      const edited = item !== undefined;
      if (!hasItemAddress(deadLetter)) return { deadLetter, edited, message: foreignMessage(deadLetter, item) };
      const last = fate?.tag === "pending" || fate?.tag === "dead" ? fate : { lastGeneration: -1, failures: [] };
      const redrives = Math.max(deadLetter.redrives, last.lastGeneration) + 1;
      if (redrives > MOST_REDRIVES) {
        return this.#refuse(
          deadLetter,
          "redriven too often",
          `its item was redriven ${MOST_REDRIVES} times, and the ledger has no room for more: export it`,
        );
      }
      const failures = deadLetter.kind === "raw" ? [...deadLetter.failures, ...last.failures] : deadLetter.failures;
      const death = { reason: deadLetter.reason, at: deadLetter.diedAt, failures, waits: deadLetter.waits };
      const asItIs = !edited && deadLetter.kind === "dead letter" && redrives === deadLetter.redrives + 1;
      const body = asItIs
        ? deadLetter.body
        : redrivenBody(parseEnvelope(deadLetter.body), death, { redrives, ...(edited && { item }) });
      return {
        deadLetter,
        edited,
        message: { body, attributes: messageAttributes(deadLetter) },
        item: { ...itemOf(deadLetter), redriveGeneration: redrives },
      };
    } catch (error) {
      return this.#refuse(deadLetter, "edit refused", toError(error).message);
    }
  }

  #refuse({ id }: DeadLetter, refusal: Refusal, message: string): undefined {
    this.#refused[refusal] = (this.#refused[refusal] ?? 0) + 1;
    if (this.#refusals.length < MOST_REFUSALS_TOLD) this.#refusals.push({ id, refusal, message });
  }

  async #isStopping(run: string): Promise<boolean> {
    const known = this.#stopping.get(run);
    if (known !== undefined && this.#now() - known.at < STATUS_MILLISECONDS) return await known.stopping;
    const stopping = this.#options.runs.find(run).then((record) => record !== undefined && isStopping(record));
    this.#stopping.set(run, { at: this.#now(), stopping });
    return await stopping;
  }
}

function messageAttributes({ attributes }: DeadLetter): Readonly<Record<string, MessageAttributeValue>> {
  return Object.fromEntries(
    Object.entries(attributes)
      // The next death has a reason of its own.
      .filter(([name]) => name !== REASON_ATTRIBUTE)
      .map(([name, attribute]) => [name, toMessageAttribute(attribute)]),
  );
}

/**
 * The body of a foreign dead letter. An edited body is text if both the old and the new item are text, and otherwise
 * JSON.
 */
function foreignMessage(deadLetter: DeadLetter, item: unknown): OutgoingMessage {
  const asText = typeof item === "string" && deadLetter.item === deadLetter.body;
  const body = item === undefined ? deadLetter.body : toBody(asText ? item : toJson(item));
  return { body, attributes: messageAttributes(deadLetter) };
}
