import type { ScanProgress } from "../../../shared/dead-letters/scan.ts";
import { WorkProgress } from "../work-progress.ts";

/** Shows on stderr how far work on dead letters has come. */
export class DeadLetterProgress extends WorkProgress {
  /** @param verb What the command does with the dead letters: "Reading". */
  constructor(verb: string, now?: number) {
    super(verb, "dead letters", now);
  }

  /** Shows a scan, which reads all dead letters and then makes them visible again. */
  showScan({ looked, total, givenBack }: ScanProgress, now: number = Date.now()): void {
    if (givenBack === 0) this.show(looked, total, now);
    else this.showReturn({ looked, total, givenBack }, now);
  }

  /** Shows only the end of a scan, which makes dead letters visible again. The command shows the rest by `show`. */
  showReturn({ looked, givenBack }: ScanProgress, now: number = Date.now()): void {
    if (givenBack === 0) return;
    this.turnTo("Returning", now);
    this.show(givenBack, looked, now);
  }
}
