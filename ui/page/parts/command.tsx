import { useSignal } from "@preact/signals";

/** A command of the command line, with a button that copies it. */
export function Command({ text }: { readonly text: string }) {
  const copied = useSignal(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    copied.value = true;
    setTimeout(() => {
      copied.value = false;
    }, 1_500);
  };
  return (
    <span class="command">
      <code>{text}</code>
      <button type="button" class="quiet" onClick={copy} aria-label={`Copy the command ${text}`}>
        {copied.value ? "Copied" : "Copy"}
      </button>
    </span>
  );
}

/** A button with the command that does the same. */
export function CommandButton(props: {
  readonly label: string;
  readonly command: string;
  readonly onClick: () => void;
  readonly disabled?: boolean;
  readonly kind?: "main" | "danger" | undefined;
}) {
  const { label, command, onClick, disabled = false, kind } = props;
  return (
    <div class="action">
      <button type="button" class={kind} onClick={onClick} disabled={disabled}>
        {label}
      </button>
      <Command text={command} />
    </div>
  );
}
