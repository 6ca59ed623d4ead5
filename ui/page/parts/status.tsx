const TONES: Readonly<Record<string, string>> = {
  running: "flight",
  redriving: "flight",
  completed: "done",
  failed: "dead",
  failing: "dead",
  interrupted: "warn",
  paused: "warn",
};

/** The status of a run: a coloured word. */
export const Status = ({ text }: { readonly text: string }) => (
  <span class={`status ${TONES[text] ?? "cancelled"}`}>{text}</span>
);
