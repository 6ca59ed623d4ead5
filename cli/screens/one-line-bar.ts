import { Presets, SingleBar } from "cli-progress";

/** One line on the standard error of a terminal. It can be drawn again and again, and is erased in the end. */
export class OneLineBar {
  readonly #bar = new SingleBar(
    {
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
      fps: 10,
      etaBuffer: 1,
      format: (_options, _params, payload: { line?: string }) => payload.line ?? "",
    },
    Presets.shades_classic,
  );
  #shown = false;

  draw(line: string): void {
    if (this.#shown) this.#bar.update(0, { line });
    else this.#bar.start(1, 0, { line });
    this.#shown = true;
  }

  erase(): void {
    if (this.#shown) this.#bar.stop();
    this.#shown = false;
  }
}
