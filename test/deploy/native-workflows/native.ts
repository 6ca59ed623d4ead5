import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { defineWorkflow, items } from "../../../shared/index.ts";

/** Writes each item into a database whose code is native. The emulator runs functions on this machine's processor. */
export default defineWorkflow({
  name: "native",
  source: items([1, 2, 3]),
  task: async (item) => {
    const database = new ClassicLevel<string, number>(mkdtempSync(join(tmpdir(), "level-")), { valueEncoding: "json" });
    await database.put("item", item);
    const read = await database.get("item");
    await database.close();
    return { read };
  },
  concurrency: 2,
  timeout: { seconds: 10 },
  results: true,
  bundling: { external: ["classic-level"], architecture: process.arch === "arm64" ? "arm64" : "x86_64" },
});
