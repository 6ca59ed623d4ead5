/** The least that Node itself takes: a handler that does nothing, and imports nothing. */
export const handler = async () => ({ batchItemFailures: [] });
