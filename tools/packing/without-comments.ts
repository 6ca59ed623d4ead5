import { readFileSync, writeFileSync } from "node:fs";
import { transform } from "esbuild";

/** Deletes the comments of JavaScript files. The declarations beside them keep theirs, which editors show. */
export async function withoutComments(files: readonly string[]): Promise<void> {
  for (const file of files) {
    const { code } = await transform(readFileSync(file, "utf8"), {
      loader: "js",
      target: "esnext",
      legalComments: "none",
    });
    writeFileSync(file, code);
  }
}
