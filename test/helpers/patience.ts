/**
 * The limit of a wait for an event, for `vi.waitUntil` and `vi.waitFor`, in milliseconds. It only ends a test that hangs. A
 * busy machine may need far longer than a quiet one, so no test has a shorter limit of its own.
 */
export const PATIENTLY = { timeout: 300_000 } as const;
