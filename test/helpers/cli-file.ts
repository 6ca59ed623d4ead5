import { fileURLToPath } from "node:url";

/** The file that runs a command. */
export const CLI = fileURLToPath(new URL("../../cli/sluice.ts", import.meta.url));
