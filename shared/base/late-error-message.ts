/** A global symbol, because a workflow's bundle can contain another copy of the library. */
const COMPLETION = Symbol.for("sluice.completion");

/** Replaces the message of an error when a promise resolves. Until then, the error keeps its current message. */
export function completeErrorMessageLater(error: Error, message: Promise<string>): void {
  const completion = message.then((text) => {
    error.message = text;
  });
  Object.defineProperty(error, COMPLETION, { value: completion });
}

/**
 * A promise that resolves when `completeErrorMessageLater` has replaced the message of a thrown value. `undefined` if
 * the message is never replaced. The function never throws, and the promise never rejects.
 */
export function errorMessageCompletion(thrown: unknown): Promise<void> | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    const completion = (thrown as { readonly [COMPLETION]?: unknown })[COMPLETION];
    return completion instanceof Promise ? completion.then(undefined, () => {}) : undefined;
  } catch {
    // A getter or a proxy threw.
    return undefined;
  }
}
