import { signal } from "@preact/signals";

/** What the page says about the latest change. */
export const message = signal<{ readonly tone: "good" | "bad"; readonly text: string } | undefined>(undefined);

/** Runs a change and shows its message or its error. */
export async function telling(change: () => Promise<string | undefined>): Promise<void> {
  try {
    const text = await change();
    message.value = text === undefined || text === "" ? undefined : { tone: "good", text };
  } catch (error) {
    message.value = { tone: "bad", text: error instanceof Error ? error.message : String(error) };
  }
}
