// Sends and receives until it is killed: the child of a test. Reports what was stored, after it was stored.
import { startSqsServer } from "../../../local/sqs/http-server.ts";

const [file = ""] = process.argv.slice(2);
const { store } = await startSqsServer({ file, accessKeyId: "test" });
store.createQueue("q", { VisibilityTimeout: "600" });
store.createQueue("q.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
for (let i = 0; ; i++) {
  store.send("q", { body: `${i}` });
  store.send("q.fifo", { body: `${i}`, groupId: "g" });
  if (i % 10 === 9) {
    const [, backoff] = store.receive({ queue: "q", max: 2 });
    if (backoff !== undefined) store.changeVisibility("q", backoff.receiptHandle, 60);
  }
  process.send?.(i);
  if (i % 50 === 49) await new Promise(setImmediate);
}
