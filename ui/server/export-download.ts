import type { ServerResponse } from "node:http";
import { toExportLine } from "../../shared/dead-letters/export.ts";
import { drained } from "./drained.ts";
import type { LoadedDeadLetters } from "./loaded-dead-letters.ts";

/** Sends dead letters as `dlq export` writes them: one JSON object per line, which `dlq import` reads. */
export async function sendExport(
  response: ServerResponse,
  options: {
    readonly workflow: string;
    readonly loaded: LoadedDeadLetters;
    readonly ids: ReadonlySet<string>;
  },
): Promise<void> {
  const { workflow, loaded, ids } = options;
  response.writeHead(200, {
    "content-type": "application/jsonl; charset=utf-8",
    "content-disposition": `attachment; filename="dead-letters-${workflow}.jsonl"`,
  });
  for (const id of ids) {
    const deadLetter = loaded.read(id);
    if (deadLetter === undefined) continue;
    if (response.destroyed) return;
    if (!response.write(`${toExportLine(deadLetter)}\n`)) await drained(response);
  }
  response.end();
}
