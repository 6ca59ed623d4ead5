import { setTimeout } from "node:timers/promises";
import { PgBoss } from "pg-boss";
import { startPostgres } from "../harness/private-server.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly tasks: number;
  /** 0: a task that does nothing. */
  readonly seconds: number;
  readonly inFlight: number;
}

const BULK = 1_000;
const QUEUE = "bench";
/** Loops that fetch and complete no-op jobs in bulk, and the jobs of a fetch: found by trying to be its fastest here. */
const FETCHERS = 2;
const FETCHED = 500;

// Tasks that take time run in as many workers as there are slots, started once the jobs are there: a worker that finds
// none waits for half a second. No-op tasks are fetched and completed in bulk, while they are added, for the same reason.
await side<Input>(async ({ tasks, seconds, inFlight }, directory) => {
  const postgres = await startPostgres(directory);
  const boss = new PgBoss({ host: "127.0.0.1", port: postgres.port, user: "bench", database: "postgres", max: 20 });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  await boss.createQueue(QUEUE);
  const startedAt = performance.now();
  const bulk = seconds > 0 ? undefined : workInBulk(boss, tasks);
  for (let start = 0; start < tasks; start += BULK) {
    const length = Math.min(BULK, tasks - start);
    await boss.insert(
      QUEUE,
      Array.from({ length }, (_, offset) => ({ data: { number: start + offset } })),
    );
  }
  const finishedAt = await (bulk ?? workEach(boss, { tasks, seconds, inFlight }));
  const wallSeconds = (finishedAt - startedAt) / 1_000;
  await boss.stop({ graceful: false });
  await postgres.stop();
  return { wallSeconds, tasksPerSecond: tasks / wallSeconds };
});

async function workEach(boss: PgBoss, { tasks, seconds, inFlight }: Input): Promise<number> {
  const { promise: finished, resolve } = Promise.withResolvers<number>();
  let done = 0;
  const options = { batchSize: 1, localConcurrency: inFlight, pollingIntervalSeconds: 0.5 };
  await boss.work(QUEUE, options, async () => {
    await setTimeout(1_000 * seconds);
    if (++done === tasks) resolve(performance.now());
  });
  return await finished;
}

async function workInBulk(boss: PgBoss, tasks: number): Promise<number> {
  let done = 0;
  const work = async () => {
    while (done < tasks) {
      const jobs = await boss.fetch(QUEUE, { batchSize: FETCHED });
      if (jobs.length === 0) continue;
      await boss.complete(
        QUEUE,
        jobs.map(({ id }) => id),
      );
      done += jobs.length;
    }
  };
  await Promise.all(Array.from({ length: FETCHERS }, work));
  return performance.now();
}
