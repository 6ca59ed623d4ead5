import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Command } from "./command.tsx";

interface Question {
  readonly title: string;
  readonly text: string;
  readonly command: string;
  readonly verb: string;
  readonly isDangerous?: boolean;
  readonly onYes: () => void;
}

const question = signal<Question | undefined>(undefined);

/** Asks the user before a change. */
export function ask(asked: Question): void {
  question.value = asked;
}

/** The dialog of `ask`. The page has one. */
export function ConfirmDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const asked = question.value;
  useEffect(() => {
    if (asked !== undefined) dialog.current?.showModal();
  }, [asked]);
  if (asked === undefined) return null;
  const close = () => {
    dialog.current?.close();
    question.value = undefined;
  };
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="question">
      <h2 id="question">{asked.title}</h2>
      <p>{asked.text}</p>
      <p class="muted">The command that does the same:</p>
      <Command text={asked.command} />
      <div class="row end">
        <button type="button" onClick={close}>
          Do nothing
        </button>
        <button
          type="button"
          class={asked.isDangerous === true ? "danger" : "main"}
          onClick={() => {
            close();
            asked.onYes();
          }}
        >
          {asked.verb}
        </button>
      </div>
    </dialog>
  );
}
