import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { defineWorkflow, fileLines } from "../../../shared/index.ts";

const ROWS = 1_200;

/** No row of the file has the field that the schema asks for. The file is written when it is read: the same each time. */
export default defineWorkflow({
  name: "wrong-header",
  source: fileLines(
    () => {
      const path = join(tmpdir(), "sluice-wrong-header.csv");
      writeFileSync(path, `id, E-Mail \n${Array.from({ length: ROWS }, (_, id) => `${id},a@b`).join("\n")}\n`);
      return path;
    },
    { format: "csv", trim: false },
  ),
  item: z.object({ email: z.string() }),
  task() {},
  concurrency: 20,
});
