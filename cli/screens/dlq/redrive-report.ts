import type { RedriveResult } from "../../../shared/dead-letters/redrive.ts";
import type { EditedItems } from "../../dlq/edit-items.ts";
import type { DeadLetterOptions } from "../../options/dead-letter-options.ts";
import { stackFlag, type Target } from "../../targets/target.ts";
import { columns } from "../columns.ts";
import { count, plural, style } from "../format.ts";
import { nextSteps, type Step } from "../next-steps.ts";
import { remark, say } from "../paragraph.ts";
import { oneLine } from "../printable.ts";
import { widthOf } from "../terminal-width.ts";
import { writeJson } from "../write-json.ts";
import { placeOf } from "./command-line.ts";
import { shortId } from "./dead-letter-text.ts";
import type { Preview } from "./preview.ts";
import { noneMatchesText, readText } from "./scan-counts.ts";
import { scanNotes } from "./scan-notes.ts";

/** How many dead letters that cannot be sent are shown. */
const REFUSALS_SHOWN = 10;

type Stays = readonly { readonly id: string; readonly why: string }[];

/** Prints what a redrive would do and what it did, for people or as JSON. */
export class RedriveReport {
  readonly #target: Target;
  readonly #options: DeadLetterOptions;

  constructor(target: Target, options: DeadLetterOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** Prints what the user changed in the editor. */
  edited({ changed, left, invalid }: EditedItems): void {
    if (this.#options.json) {
      this.#json("edited", { changed: changed.size, left, invalid });
      return;
    }
    const unchanged =
      left === 0 ? "" : `, ${count(left)} unchanged: ${left === 1 ? "it stays" : "they stay"} in the dead-letter queue`;
    say(`${plural(changed.size, "item")} changed${unchanged}.`);
    if (invalid.length > 0) {
      say(
        style(
          "red",
          `${plural(invalid.length, "item")} cannot be sent as you left ${invalid.length === 1 ? "it" : "them"}:`,
        ),
      );
      this.#stays(
        invalid.map(({ id, problem }) => ({ id, why: problem })),
        invalid.length,
      );
    }
  }

  /** Prints the result of the dry run. */
  planned(planned: RedriveResult, preview: Preview): void {
    if (this.#options.json) {
      this.#json("planned", { ...planned, stoppedBy: planned.stoppedBy ?? null });
      return;
    }
    const { selected, moved } = planned;
    if (selected === 0) remark(noneMatchesText(this.#target, planned));
    else {
      const sent = `${count(moved)} of ${readText(planned)} of ${placeOf(this.#target)}`;
      say(`${style("bold", "Dry run:")} ${sent} would be sent back.\n`);
      say(`${preview.toText()}\n`);
      const { foreign } = preview;
      if (foreign > 0 && planned.edited === 0) {
        const returns =
          foreign === 1
            ? "1 of them is not a message that Sluice sent: unchanged, it fails again and returns here."
            : `${count(foreign)} of them are not messages that Sluice sent: unchanged, they fail again and return here.`;
        say(`${style("yellow", "note")} ${returns} Change the body with --edit.\n`);
      }
    }
    this.#unsent(planned, "would be");
    this.#notes(planned);
  }

  /** Prints what was done. */
  done(done: RedriveResult): void {
    if (this.#options.json) {
      this.#json("redriven", { ...done, stoppedBy: done.stoppedBy ?? null });
      return;
    }
    const { looked, heldElsewhere, approximate, selected, moved, edited, alreadyDone, stoppedBy } = done;
    const interrupted = stoppedBy === "interruption";
    if (selected === 0 && !interrupted) {
      remark(noneMatchesText(this.#target, done));
      this.#notes(done);
      return;
    }
    const changed = edited === 0 ? "" : edited === moved ? ", changed" : `, ${count(edited)} of them changed`;
    const left = looked + heldElsewhere - moved - alreadyDone;
    const stay = interrupted
      ? "All others stay"
      : left === 0
        ? "None is left"
        : `${heldElsewhere > 0 && approximate ? "About " : ""}${count(left)} ${left === 1 ? "stays" : "stay"}`;
    say(
      `${interrupted ? `${style("yellow", "Interrupted:")} ` : ""}${plural(moved, "dead letter")} of ${placeOf(this.#target)} ` +
        `${moved === 1 ? "was" : "were"} sent back${changed}. ` +
        `${stay} in the dead-letter queue.`,
    );
    this.#unsent(done, alreadyDone === 1 ? "was" : "were");
    this.#notes(done);
    const steps = this.#steps(done);
    if (steps.length > 0) console.log(`\n${nextSteps(steps)}`);
  }

  #json(type: string, facts: object): void {
    writeJson({ type, workflow: this.#target.workflow, ...facts });
  }

  #unsent({ alreadyDone, refused, refusals }: RedriveResult, were: string): void {
    if (alreadyDone > 0) {
      const items = alreadyDone === 1 ? "its item has" : "their items have";
      say(`${count(alreadyDone)} ${were} deleted without sending: ${items} succeeded since.`);
    }
    const total = Object.values(refused).reduce((sum, each) => sum + each, 0);
    if (total === 0) return;
    const kinds = Object.entries(refused).map(([refusal, number]) => `${count(number)} ${refusal}`);
    say(style("red", `${plural(total, "dead letter")} cannot be sent: ${kinds.join(", ")}.`));
    this.#stays(
      refusals.map(({ id, message }) => ({ id, why: message })),
      total,
    );
  }

  #stays(deadLetters: Stays, total: number): void {
    console.log(
      columns(
        [{ header: "ID" }, { header: "WHY IT STAYS", grow: 1, lines: 3 }],
        deadLetters.slice(0, REFUSALS_SHOWN).map(({ id, why }) => [shortId(id), oneLine(why)]),
        { width: widthOf(process.stdout), indent: "  ", heading: (text) => style("dim", text) },
      ),
    );
    if (total > REFUSALS_SHOWN) console.log(style("dim", `  … and ${count(total - REFUSALS_SHOWN)} more`));
    console.log();
  }

  #notes(result: RedriveResult): void {
    const { stoppedBy } = result;
    const notes = scanNotes(
      { ...result, stoppedBy: stoppedBy === "interruption" ? undefined : stoppedBy },
      this.#options,
    );
    for (const note of notes) console.log(note);
  }

  #steps({ runs, moved }: RedriveResult): readonly Step[] {
    const [run, another] = Object.keys(runs);
    if (moved === 0 || run === undefined) return [];
    const { local, running, name } = this.#target;
    const which = another === undefined ? oneLine(run) : name;
    return local !== undefined && !running
      ? [
          [`npx sluice resume ${which}`, "run them"],
          [`npx sluice status ${which}`, "show the run's counts"],
        ]
      : [[`npx sluice status ${which}${stackFlag(this.#target)} --watch`, "watch them run"]];
  }
}
