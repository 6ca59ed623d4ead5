/** In the global registry: a workflow's bundle may hold another copy of the library. */
const COMPLETION = Symbol.for("sluice.completion");

/** Has an error's message end in a text that is not known yet, if it is not empty. */
export function completeLater(error: Error, text: Promise<string>): void {
  const completion = text.then((end) => {
    if (end !== "") error.message += `: ${end}`;
  });
  Object.defineProperty(error, COMPLETION, { value: completion });
}

/** Resolves once the message of what was thrown is complete; `undefined` if it is. Never throws or rejects. */
export function completionOf(thrown: unknown): Promise<void> | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    const completion = (thrown as { readonly [COMPLETION]?: unknown })[COMPLETION];
    return completion instanceof Promise ? completion.then(undefined, () => {}) : undefined;
  } catch {
    // A getter or a proxy that throws.
    return undefined;
  }
}
