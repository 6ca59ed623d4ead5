import type { ServerResponse } from "node:http";

/** Resolves when a response takes more, or is closed. It leaves no listener behind, so it can be called for each write. */
export async function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed || !response.writableNeedDrain) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}
