import * as z from "zod";
import { defineWorkflow, PermanentError, RetryLater } from "../../../shared/index.ts";

/** Two pages: of the first one's items, one succeeds, one fails in each way. The second page must never be read. */
export default defineWorkflow({
  name: "triable",
  source: {
    readPage(cursor, { warn }) {
      if (cursor !== undefined) throw new Error("the second page was read");
      warn("the list is long");
      const rows = ["good", "permanent", "waiting", "mistaken", "stray"].map((kind) => ({ kind, " Id": "1" }));
      return { items: [...rows, { kind: "good" }], next: { after: 6 } };
    },
  },
  item: z.object({ kind: z.string(), id: z.string().optional(), Id: z.string().default("none") }),
  task: async ({ kind }, { logger, id }) => {
    logger.info("working", { kind });
    if (kind === "permanent") throw new PermanentError("no such thing");
    if (kind === "waiting") throw new RetryLater({ minutes: 5 });
    if (kind === "mistaken") throw new TypeError("a mistake\u001b[31m");
    if (kind === "stray") {
      setImmediate(() => {
        throw new Error("from a timer");
      });
      await new Promise(() => {});
    }
    return { kind, id };
  },
  concurrency: 2,
});
