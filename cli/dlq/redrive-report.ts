import type { RedriveResult } from "../../shared/dead-letters/redrive.ts";
import { writeJson } from "../display.ts";
import { count, plural, style } from "../format.ts";
import { oneLine } from "../printable.ts";
import type { Target } from "../target.ts";
import { placeOf } from "./command-words.ts";
import type { EditedItems } from "./edit-items.ts";
import type { LetterOptions } from "./letter-options.ts";
import { shortId } from "./letter-words.ts";
import { nextSteps, type Step } from "./next-steps.ts";
import { passNotes } from "./pass-notes.ts";
import type { Preview } from "./preview.ts";

/** Letters that cannot be sent, shown at the most. */
const REFUSALS_SHOWN = 10;

/** Tells what a redrive would do and what it did: to people, or as JSON. */
export class RedriveReport {
  readonly #target: Target;
  readonly #options: LetterOptions;

  constructor(target: Target, options: LetterOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** What the editor left. */
  edited({ changed, left, invalid }: EditedItems): void {
    if (this.#options.json) {
      writeJson({ type: "edited", workflow: this.#target.workflow, changed: changed.size, left, invalid });
      return;
    }
    const parts = [`${plural(changed.size, "item")} changed`];
    if (left > 0)
      parts.push(`${count(left)} left as ${left === 1 ? "it is" : "they are"}, and in the dead-letter queue`);
    console.log(`${parts.join(", ")}.`);
    for (const { id, problem } of invalid) console.log(style("red", `  ${shortId(id)} stays: ${oneLine(problem)}`));
  }

  /** What would be done. */
  planned(planned: RedriveResult, preview: Preview): void {
    const { looked, selected, moved } = planned;
    if (this.#options.json) {
      writeJson({ type: "planned", workflow: this.#target.workflow, ...planned, stoppedBy: planned.stoppedBy ?? null });
      return;
    }
    if (selected > 0) {
      console.log(
        `${style("bold", "Dry run:")} ${count(moved)} of ${plural(looked, "dead letter")} of ${placeOf(this.#target)} would be sent back.\n\n${preview.toText()}\n`,
      );
    } else console.error(this.#nothing(looked));
    this.#outcomes(planned, "would");
    this.#notes(planned);
  }

  /** What was done. */
  done(done: RedriveResult): void {
    if (this.#options.json) {
      writeJson({ type: "redriven", workflow: this.#target.workflow, ...done, stoppedBy: done.stoppedBy ?? null });
      return;
    }
    const { looked, selected, moved, edited, alreadyDone, stoppedBy } = done;
    if (selected === 0 && stoppedBy === undefined) {
      console.error(this.#nothing(looked));
      return;
    }
    const interrupted = stoppedBy === "interruption" ? "Interrupted: " : "";
    const changed = edited > 0 ? `, ${count(edited)} of them changed` : "";
    const rest = looked - moved - alreadyDone;
    const stay =
      stoppedBy === "interruption"
        ? "All others stay"
        : rest > 0
          ? `${count(rest)} ${rest === 1 ? "stays" : "stay"}`
          : "None is left";
    console.log(
      `${interrupted}${plural(moved, "dead letter")} of ${placeOf(this.#target)} ${moved === 1 ? "was" : "were"} sent back${changed}. ` +
        `${stay} in the dead-letter queue.`,
    );
    this.#outcomes(done, "did");
    this.#notes(done);
    const steps = this.#steps(done);
    if (steps.length > 0) console.log(`\n${nextSteps(steps)}`);
  }

  #nothing(looked: number): string {
    const place = placeOf(this.#target);
    return looked === 0 ? `${place}: no dead letters` : `${place}: none of ${plural(looked, "dead letter")} fits`;
  }

  #outcomes({ alreadyDone, refused, refusals }: RedriveResult, tense: "would" | "did"): void {
    if (alreadyDone > 0) {
      const taken = tense === "did" ? "taken off the queue unsent" : "would be taken off the queue unsent";
      console.log(
        `  ${count(alreadyDone)} ${taken}: ${alreadyDone === 1 ? "its item has" : "their items have"} succeeded since.`,
      );
    }
    const total = Object.values(refused).reduce((sum, each) => sum + each, 0);
    if (total === 0) return;
    const kinds = Object.entries(refused).map(([refusal, number]) => `${count(number)} ${refusal}`);
    console.log(
      style(
        "red",
        `  ${plural(total, "letter")} ${tense === "did" ? "" : "would "}stay${total === 1 && tense === "did" ? "s" : ""}: ${kinds.join(", ")}`,
      ),
    );
    for (const { id, message } of refusals.slice(0, REFUSALS_SHOWN))
      console.log(`    ${shortId(id)}  ${oneLine(message)}`);
    if (total > REFUSALS_SHOWN) console.log(`    … and ${count(total - REFUSALS_SHOWN)} more`);
  }

  #notes(result: RedriveResult): void {
    const notes = passNotes(
      { ...result, stoppedBy: result.stoppedBy === "interruption" ? undefined : result.stoppedBy },
      this.#options,
    );
    if (notes.length > 0) console.log(notes.join("\n"));
  }

  #steps({ runs, moved }: RedriveResult): readonly Step[] {
    if (moved === 0) return [];
    const { local, running, name } = this.#target;
    const [run, another] = Object.keys(runs);
    if (run === undefined) return [];
    const what = another === undefined ? oneLine(run) : name;
    const { stack } = this.#options;
    const flag = stack === undefined ? "" : stack === true ? " --stack" : ` --stack ${stack}`;
    return local !== undefined && !running
      ? [
          [`npx sluice resume ${what}`, "works them off"],
          [`npx sluice status ${what}`, "what their run has come to"],
        ]
      : [[`npx sluice status ${what}${flag} --watch`, "shows how they are worked off"]];
  }
}
