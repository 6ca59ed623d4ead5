import type { ReadStream } from "node:tty";

export interface KeyHandlers {
  onStart(): void;
  onQuit(): void;
  /** Ctrl-C: in the raw mode, the terminal sends no signal. */
  onInterrupt(): void;
}

const CONTROL_C = "\u0003";
const CONTROL_D = "\u0004";

/** Reads single keys from the terminal: r starts a run, q and Ctrl-D quit. Returns what ends that. */
export function readKeys(
  input: Pick<ReadStream, "setRawMode" | "setEncoding" | "on" | "off" | "resume" | "pause">,
  handlers: KeyHandlers,
): () => void {
  const onData = (text: string) => {
    for (const key of text) {
      if (key === CONTROL_C) handlers.onInterrupt();
      else if (key === "q" || key === "Q" || key === CONTROL_D) handlers.onQuit();
      else if (key === "r" || key === "R") handlers.onStart();
    }
  };
  input.setRawMode(true);
  input.setEncoding("utf8");
  input.on("data", onData);
  input.resume();
  return () => {
    input.off("data", onData);
    input.setRawMode(false);
    input.pause();
  };
}
