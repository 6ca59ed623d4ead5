/** In the global registry: a workflow's bundle may hold another copy of the library. */
const COMPLETION = Symbol.for("sluice.completion");

/** Gives an error another message, which is not known yet. */
export function completeLater(error: Error, message: Promise<string>): void {
  const completion = message.then((text) => {
    error.message = text;
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
