import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { onTestFinished } from "vitest";
import { FileObjectStore } from "../../shared/results/file-object-store.ts";
import type { Manifest } from "../../shared/results/manifest.ts";
import { manifestKey, partKey } from "../../shared/results/object-keys.ts";

const file = (key: string, content: string) => ({
  key,
  bytes: Buffer.byteLength(content),
  sha256: createHash("sha256").update(content).digest("hex"),
});

/** A directory that is removed at the end of the test. */
export function resultsDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "sluice-results-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Some results in parts, as a compaction leaves them. */
export interface StoredPart {
  readonly jsonl: string;
  readonly csv?: string;
}

/** Stores the parts of a run, one for each block, and their manifest. */
export async function storeResults(
  directory: string,
  run: string,
  parts: readonly StoredPart[],
  changes: Partial<Manifest> = {},
): Promise<{ readonly store: FileObjectStore; readonly manifest: Manifest }> {
  const store = new FileObjectStore(pathToFileURL(directory).href);
  const blocks: Manifest["blocks"][number][] = [];
  for (const [block, { jsonl, csv }] of parts.entries()) {
    const key = partKey({ run, partition: 0, block }, 0, 1, "test");
    const csvKey = key.replaceAll("jsonl", "csv");
    const rows = jsonl.split("\n").length - 1;
    await store.put(key, Buffer.from(jsonl));
    if (csv !== undefined) await store.put(csvKey, Buffer.from(csv));
    const part = { ...file(key, jsonl), rows, ...(csv !== undefined && { csv: file(csvKey, csv) }) };
    blocks.push({ partition: 0, block, revision: 1, rows, missing: 0, parts: [part] });
  }
  const manifest: Manifest = {
    sluice: 1,
    id: "test",
    workflow: "test",
    run,
    status: "completed",
    version: 1,
    createdAt: "2026-11-28T00:00:00.000Z",
    format: "jsonl",
    include: [],
    rows: blocks.reduce((sum, { rows }) => sum + rows, 0),
    missing: 0,
    blocks,
    ...changes,
  };
  await store.put(manifestKey(run, manifest.version), Buffer.from(JSON.stringify(manifest)));
  return { store, manifest };
}
