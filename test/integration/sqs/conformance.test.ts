import { startSqsServer } from "../../../local/sqs/http-server.ts";
import { conformance } from "./conformance.ts";

conformance(
  "the embedded server",
  async () => {
    let now = Date.now();
    const server = await startSqsServer({ file: ":memory:", accessKeyId: "test", clock: () => now });
    const advance = (seconds: number) => {
      now += seconds * 1_000;
      server.store.clockAdvanced();
    };
    return { endpoint: server.endpoint, stop: () => server.close(), clock: { now: () => now, advance } };
  },
  { hasClock: true },
);
