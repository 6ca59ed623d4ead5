import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { openServices } from "../../local/local-services.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { STATE_ROOT } from "../../local/state-root.ts";
import { ITEMS_PER_PAGE } from "../../shared/base/items-per-page.ts";
import type { ResultFormat } from "../../shared/definition/results-options.ts";
import { topology } from "../../shared/definition/topology.ts";
import { PAGES_PER_BLOCK } from "../../shared/ledger/keys.ts";
import { CsvRows } from "../../shared/results/csv-columns.ts";
import { FileObjectStore } from "../../shared/results/file-object-store.ts";
import type { Manifest, Part } from "../../shared/results/manifest.ts";
import { csvPrefix, manifestKey, partKey } from "../../shared/results/object-keys.ts";
import { measuredCommand } from "../harness/measured-command.ts";
import { side } from "../harness/side.ts";
import workflow from "../workflows/noop-results.ts";

interface Input {
  readonly results: number;
  /** The format of the run. */
  readonly from: ResultFormat;
  /** The format that the command writes. */
  readonly to: ResultFormat;
}

const RUN = "20261128-081530-3fa9";
const RESULTS_PER_BLOCK = ITEMS_PER_PAGE * PAGES_PER_BLOCK;
const RESULT_BYTES = 200;
const COLUMNS = ["number", "text"];

// `sluice results` itself, over the parts of a run with many results, to a file. No engine runs, so the same process also
// serves the ledger.
await side<Input>(async ({ results, from, to }, directory) => {
  const state = new StateDirectory(workflow.name, join(directory, STATE_ROOT));
  const services = await openServices({ workflow: workflow.name, topology: topology(workflow), state });
  const settings = { format: from, include: [] };
  const requestedAt = new Date().toISOString();
  const { runs } = services;
  const run = await runs.create({ id: RUN, workflow: workflow.name, requestedAt, results: settings });
  await runs.progress.checkpoint(run, { cursor: undefined, skip: 0, pages: 0, items: 0, ended: true });
  await store(state, results, from);
  await runs.results.setManifest(RUN, 1);
  await services.close();
  const file = fileURLToPath(new URL("../workflows/noop-results.ts", import.meta.url));
  state.remember({ workflow: workflow.name, file, name: workflow.name, run: RUN });

  const output = join(directory, "output");
  const words = ["results", RUN, "--format", to, "--output", output, "--json"];
  const { stdout, seconds, cpuSeconds, memoryMb } = await measuredCommand(directory, words);
  const written = statSync(output).size;
  if (!stdout.includes(String(results)) || written < RESULT_BYTES * results) {
    throw new Error(`${written} bytes were written:\n${stdout}`);
  }
  return { rowsPerCpuSecond: results / cpuSeconds, rowsPerSecond: results / seconds, memoryMb };
});

/** Stores results as a compaction does: a part for each block, and the manifest. */
async function store(state: StateDirectory, results: number, format: ResultFormat): Promise<void> {
  const objects = new FileObjectStore(pathToFileURL(state.results).href);
  const csvRows = new CsvRows([], COLUMNS);
  const put = async (key: string, body: Buffer) => {
    await objects.put(key, body);
    return { key, bytes: body.length, sha256: createHash("sha256").update(body).digest("hex") };
  };
  const blocks: Manifest["blocks"][number][] = [];
  for (let block = 0; block * RESULTS_PER_BLOCK < results; block++) {
    const first = block * RESULTS_PER_BLOCK;
    const lines = Array.from({ length: Math.min(RESULTS_PER_BLOCK, results - first) }, (_, index) =>
      lineOf(first + index),
    );
    const key = partKey({ run: RUN, partition: 0, block }, 0, 1, "measured");
    const jsonl = await put(key, Buffer.from(lines.join("")));
    const csvText = () => csvRows.headerLine + lines.map((line) => csvRows.line(Buffer.from(line))).join("");
    const csv = format === "csv" ? await put(`${csvPrefix(RUN)}${block}.csv`, Buffer.from(csvText())) : undefined;
    const part: Part = { ...jsonl, rows: lines.length, ...(csv !== undefined && { csv }) };
    blocks.push({ partition: 0, block, revision: 1, rows: lines.length, missing: 0, parts: [part] });
  }
  const manifest: Manifest = {
    ...{ sluice: 1, id: "measured", workflow: workflow.name, run: RUN, status: "completed", version: 1 },
    ...{ createdAt: new Date().toISOString(), format, include: [], rows: results, missing: 0, blocks },
    ...(format === "csv" && { header: csvRows.header }),
  };
  await objects.put(manifestKey(RUN, 1), Buffer.from(JSON.stringify(manifest)));
}

function lineOf(number: number): string {
  const id = `${RUN}/${Math.floor(number / ITEMS_PER_PAGE)}/${number % ITEMS_PER_PAGE}`;
  const head = `{"number":${number},"text":"`;
  return `{"id":"${id}","result":${head.padEnd(RESULT_BYTES - 2, "x")}"}}\n`;
}
