import { setTimeout } from "node:timers/promises";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { startRedis } from "../harness/private-server.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly tasks: number;
  /** 0: a task that does nothing. */
  readonly seconds: number;
  readonly inFlight: number;
}

const BULK = 1_000;

// One worker process with all the slots, which is BullMQ's fastest on few cores. Jobs are added while they are worked on.
await side<Input>(async ({ tasks, seconds, inFlight }, directory) => {
  const redis = await startRedis(directory);
  const connection = { host: "127.0.0.1", port: redis.port, maxRetriesPerRequest: null };
  const queue = new Queue("bench", { connection });
  await queue.waitUntilReady();
  const { promise: finished, resolve } = Promise.withResolvers<number>();
  let done = 0;
  const worker = new Worker(
    "bench",
    async () => {
      if (seconds > 0) await setTimeout(1_000 * seconds);
    },
    { connection, concurrency: inFlight, removeOnComplete: { count: 0 } },
  );
  worker.on("completed", () => {
    if (++done === tasks) resolve(performance.now());
  });
  await worker.waitUntilReady();
  const onlooker = new Redis(connection);
  const redisSeconds = async () => cpuSeconds(await onlooker.info("cpu"));
  const [redisBefore, workerBefore] = [await redisSeconds(), process.cpuUsage()];
  const startedAt = performance.now();
  for (let start = 0; start < tasks; start += BULK) {
    const length = Math.min(BULK, tasks - start);
    await queue.addBulk(Array.from({ length }, (_, offset) => ({ name: "task", data: start + offset })));
  }
  const wallSeconds = ((await finished) - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(workerBefore);
  const redisCpu = (1e6 * ((await redisSeconds()) - redisBefore)) / tasks;
  await onlooker.quit();
  await worker.close();
  await queue.close();
  await redis.stop();
  return { wallSeconds, tasksPerSecond: tasks / wallSeconds, workerCpu: (user + system) / tasks, redisCpu };
});

/** Of Redis, as its `INFO` tells. */
function cpuSeconds(info: string): number {
  const seconds = (name: string) => Number(new RegExp(`^used_cpu_${name}:(.*)$`, "m").exec(info)?.[1]);
  return seconds("user") + seconds("sys");
}
