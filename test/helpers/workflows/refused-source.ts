import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineWorkflow, RetryLater } from "../../../shared/index.ts";

const file = (name: string) => join(process.env.MARKERS ?? ".", name);

/** Three pages of an item. The second is refused once, for as many seconds as `WAIT_SECONDS` says. Each read is noted. */
export default defineWorkflow({
  name: "refused-source",
  source: {
    readPage(cursor) {
      const page = Number(cursor ?? 0);
      appendFileSync(file("reads"), `${page} ${Date.now()}\n`);
      if (page === 1 && !existsSync(file("refused"))) {
        writeFileSync(file("refused"), "");
        throw new RetryLater({ seconds: Number(process.env.WAIT_SECONDS) }, { message: "the quota is used up" });
      }
      return { items: [page], next: page < 2 ? page + 1 : undefined };
    },
  },
  task: () => undefined,
  concurrency: 2,
});
