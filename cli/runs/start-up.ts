import { EXIT } from "../exit-code.ts";
import { chooseDisplay, type Display } from "../screens/display.ts";

/**
 * The time before a run begins. It shows what the command is doing, so that the screen is never empty, and Ctrl-C ends the
 * command at once.
 *
 * This module loads neither the engine nor the AWS SDK: the first line appears before they are loaded.
 */
export class StartUp implements Disposable {
  readonly display: Display;
  #run: { readonly id: string; readonly name: string } | undefined;
  #ended = false;

  constructor(options: { readonly json: boolean }) {
    this.display = chooseDisplay(options);
    process.on("SIGINT", this.#interrupt);
    process.on("SIGTERM", this.#interrupt);
  }

  /** Shows what the command does now: "bundling the functions". */
  step(what: string): void {
    this.display.starting(what);
  }

  /** Tells which run will begin or continue. Ctrl-C then says how to continue it. */
  chose(run: { readonly id: string; readonly name: string }): void {
    this.#run = run;
  }

  /** Ends the start-up. From now on, the caller handles Ctrl-C. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    process.off("SIGINT", this.#interrupt);
    process.off("SIGTERM", this.#interrupt);
    this.display.end();
  }

  [Symbol.dispose](): void {
    this.end();
  }

  // The state directory survives SIGKILL, and the environments end with this process. So nothing needs to be closed.
  readonly #interrupt = () => {
    this.display.end();
    this.display.say(this.#run === undefined ? "Interrupted: no run was started." : interruptedText(this.#run));
    process.exit(EXIT.interrupted);
  };
}

/** Says that a run was interrupted, and how to continue it. */
export const interruptedText = ({ id, name }: { readonly id: string; readonly name: string }): string =>
  `Interrupted. Nothing is lost. Continue run ${id} with: npx sluice resume ${name}`;
