import type { PurgeResult } from "../../../shared/dead-letters/purge.ts";
import type { DeadLetterOptions } from "../../options/dead-letter-options.ts";
import type { Target } from "../../targets/target.ts";
import { count, plural, style } from "../format.ts";
import { nextSteps } from "../next-steps.ts";
import { remark, say } from "../paragraph.ts";
import { writeJson } from "../write-json.ts";
import { dlqCommand, placeOf } from "./command-line.ts";
import type { Preview } from "./preview.ts";
import { noneMatchesText, readText } from "./scan-counts.ts";
import { scanNotes } from "./scan-notes.ts";

/** Prints what a purge would delete and what it deleted, for people or as JSON. */
export class PurgeReport {
  readonly #target: Target;
  readonly #options: DeadLetterOptions;

  constructor(target: Target, options: DeadLetterOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** Prints the result of the dry run. */
  planned(planned: PurgeResult, preview: Preview): void {
    if (this.#options.json) {
      this.#json("planned", planned);
      return;
    }
    tellNewer(planned);
    if (planned.selected === 0) remark(noneMatchesText(this.#target, planned));
    else {
      const deleted = `${count(planned.selected)} of ${readText(planned)} of ${placeOf(this.#target)}`;
      say(`${style("bold", "Dry run:")} ${deleted} would be deleted.\n`);
      say(`${preview.toText()}\n`);
    }
    this.#notes(planned);
  }

  /**
   * Prints what was done.
   *
   * @param file The backup; `undefined` if none was written.
   */
  done(done: PurgeResult, file: string | undefined): void {
    if (this.#options.json) {
      this.#json("purged", done, { backup: file ?? null });
      return;
    }
    const { selected, deleted, leftBehind, stoppedBy } = done;
    if (selected === 0 && stoppedBy === undefined) {
      remark(noneMatchesText(this.#target, done));
      tellNewer(done);
      this.#notes(done);
      return;
    }
    const one = deleted === 1;
    const interrupted = stoppedBy === "interruption" ? `${style("yellow", "Interrupted:")} ` : "";
    const kept = file === undefined ? "" : `, and ${one ? "is" : "are"} in ${file}`;
    const deletedText = `${plural(deleted, "dead letter")} of ${placeOf(this.#target)}`;
    say(`${interrupted}${deletedText} ${one ? "was" : "were"} deleted${kept}.`);
    if (leftBehind > 0) say(style("red", `SQS refused to delete ${count(leftBehind)}: run this command again.`));
    tellNewer(done);
    this.#notes(done);
    if (file !== undefined && deleted > 0) {
      const command = dlqCommand(`import ${file}`, this.#target, this.#options, this.#options.workflow);
      console.log(`\n${nextSteps([[command, "put them back"]])}`);
    }
  }

  #json(type: string, result: PurgeResult, facts: object = {}): void {
    const { workflow } = this.#target;
    writeJson({ type, workflow, ...result, stoppedBy: result.stoppedBy ?? null, ...facts });
  }

  #notes(result: PurgeResult): void {
    const stoppedBy = result.stoppedBy === "interruption" ? undefined : result.stoppedBy;
    for (const note of scanNotes({ ...result, stoppedBy }, this.#options)) console.log(note);
  }
}

function tellNewer({ newer }: PurgeResult): void {
  if (newer === 0) return;
  const which = `${plural(newer, "dead letter")} of a newer version of Sluice`;
  say(
    style(
      "red",
      `${which} ${newer === 1 ? "was" : "were"} not deleted: delete ${newer === 1 ? "it" : "them"} with that version.`,
    ),
  );
}
