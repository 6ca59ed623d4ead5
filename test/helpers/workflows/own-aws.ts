import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { ListQueuesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { defineWorkflow } from "../../../shared/index.ts";

// Of the user's own, with all that the SDK finds by itself.
const sqs = new SQSClient({});
const dynamoDb = new DynamoDBClient({});

/** Asks the user's own AWS, and says in it who asks. */
async function askAs(who: string): Promise<void> {
  await sqs.send(new ListQueuesCommand({ QueueNamePrefix: who }));
  await dynamoDb.send(new ListTablesCommand({ ExclusiveStartTableName: who }));
}

/** A workflow whose every part calls AWS by itself. The item `isolated` ends its first process, and is isolated then. */
export default defineWorkflow({
  name: "own-aws",
  source: {
    async readPage() {
      await askAs("source");
      return { items: ["task", "isolated"] };
    },
  },
  async task(item) {
    const marker = join(process.env.MARKERS ?? ".", "exited");
    if (item === "isolated" && !existsSync(marker)) {
      writeFileSync(marker, "");
      process.exit(1);
    }
    await askAs(item);
  },
  onComplete: () => askAs("onComplete"),
  concurrency: 2,
  tasksPerEnvironment: 1,
  retry: { attempts: 2, backoff: { base: { milliseconds: 0 } } },
});
