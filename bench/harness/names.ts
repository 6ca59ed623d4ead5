/** The names of sides, as they stand in tables. */
export const SLUICE = "Sluice";
export const SLUICE_BATCHES = "Sluice, refill off";
export const NODE_QUEUE = "queue in one Node process";
export const ASYNCIO = "asyncio queue in Python";
export const BULLMQ = "BullMQ on Redis";
export const PG_BOSS = "pg-boss on PostgreSQL";
export const POWERTOOLS = "Powertools batch processor";
export const EMPTY = "empty handler";
