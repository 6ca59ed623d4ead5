import { readdirSync } from "node:fs";
import { join } from "node:path";

/** All files in a directory and in its directories. */
export const filesIn = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
