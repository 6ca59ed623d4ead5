import type { TestProject } from "vitest/node";
import { temporaryDirectory } from "./test-engine.ts";

/** Makes the directory in which the test files of one gate share worlds, and removes it at the end. */
export default function shareWorlds(project: TestProject): () => void {
  const directory = temporaryDirectory();
  project.provide("worlds", directory.path);
  return () => directory[Symbol.dispose]();
}
